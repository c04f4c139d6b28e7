import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenImport, Receipt } from '../../../extension/src/api/contract.ts';
import { describeImported, describeMask, describeStructure } from '../../../extension/src/service/import-words.ts';
import { type Importing, isAnswered } from '../../../extension/src/service/importer.ts';
import { describeTeaching } from '../../../extension/src/service/words.ts';
import { buildPart } from '../../fixtures/draw-panel.ts';

const mask = {
  seriesInstanceUid: '1.2',
  sopInstanceUid: '1.2.1',
  modality: 'SEG',
  description: 'Hirn, 3D Slicer',
} as const;
const structure = { number: 4, label: 'Hirn', type: null, laterality: null, algorithmType: '' };
const open: OpenImport = { structures: [structure], missing: ['Brain', 'Lesion'], segments: ['Brain', 'Lesion'] };
const section = await buildPart<{ readonly service: object; readonly importing: Importing }>('ImportSection');
const draw = (importing: Importing) => section({ service: {}, importing });

test('the section says what can be done, lists the masks, and asks what the server has to know', () => {
  assert.match(draw({ phase: 'none' }), /Show the masks of this study/);
  assert.match(draw({ phase: 'looking' }), /<button[^>]*disabled=""[^>]*>Looking/);
  const choosing = { phase: 'choosing', masks: [mask], isSending: false, open: null, problem: null } as const;
  assert.match(draw(choosing), /type="radio".*SEG: Hirn, 3D Slicer.*<button[^>]*disabled=""[^>]*>Hand it in/s);
  assert.match(draw({ ...choosing, masks: [] }), /holds no SEG and no RTSTRUCT/);
  const asked = draw({ ...choosing, open });
  assert.match(asked, /<label for="uncol-structure-4">Hirn \(structure 4\) is<\/label><select id="uncol-structure-4"/);
  assert.match(asked, /choose .*Brain.*Lesion.*leave it out/s);
  assert.equal(asked.match(/the image does not show it/g)?.length, 2);
  assert.match(draw({ ...choosing, isSending: true }), /<fieldset[^>]*disabled="".*Handing in/s);
  const problem = { code: 'import-known', title: 'Mask was handed in before', detail: 'd', hint: 'h' };
  assert.match(draw({ ...choosing, problem }), /data-code="import-known"/);
  assert.match(draw({ phase: 'failed', problem }), /Show the masks.*Mask was handed in before/s);
});

const receipt = {
  ...{
    approvedSlices: 2,
    notes: ['Left out: 3 voxels.'],
    heldOut: false,
    roundId: null,
    untilRound: 1,
    withdrawn: null,
  },
  imported: { structures: [{ number: 6, segment: 0, by: 'person', algorithmType: '' }] },
} as unknown as Receipt;

test('what became of a mask is told, and that it can be taken back', () => {
  const text = draw({ phase: 'received', receipt, problem: null });
  assert.match(text, /Handed in as a correction.*Left out: structure 6\..*Left out: 3 voxels\..*2 slices.*Take back/s);
  const taken = { ...receipt, withdrawn: { reason: 'x', at: '' } } as unknown as Receipt;
  assert.doesNotMatch(draw({ phase: 'received', receipt: taken, problem: null }), /<button[^>]*>Take back/);
  assert.match(describeTeaching(taken), /The object stays in the PACS/);
  assert.match(describeTeaching({ ...receipt, imported: null }), /^1 more correction until/);
  assert.deepEqual(describeImported({ imported: null, notes: [] }), []);
});

test('masks and structures are named as their objects do, or by number', () => {
  const [only, second] = [
    { ...mask, description: '' },
    { ...mask, sopInstanceUid: '1.2.2' },
  ];
  assert.equal(describeMask(only, [only]), 'SEG: without description');
  assert.equal(describeMask(second, [mask, second]), 'SEG: Hirn, 3D Slicer, object 2 of 2');
  assert.equal(describeStructure({ ...structure, label: '', laterality: 'left' }), 'Structure 4, left');
  assert.equal(describeStructure({ ...structure, laterality: 'both' }), 'Hirn (structure 4, both sides)');
});

test('all is said when each structure has its segment or none, and each segment a structure or is absent', () => {
  const say = (to: string | null, absent: string[]) => isAnswered(open, { structures: [{ from: '4', to }], absent });
  assert.deepEqual(
    [say('Brain', ['Lesion']), say('Brain', []), say(null, ['Brain', 'Lesion']), say(null, ['Lesion'])],
    [true, false, true, false],
  );
  assert.equal(isAnswered(open, { structures: [], absent: ['Brain', 'Lesion'] }), false);
  assert.equal(isAnswered(null, { structures: [], absent: [] }), true);
});
