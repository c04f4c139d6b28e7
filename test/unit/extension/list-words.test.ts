import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorklistItem } from '../../../extension/src/api/contract.ts';
import { describeArm, describeLineage, describeTrigger } from '../../../extension/src/service/history-words.ts';
import { describeCase } from '../../../extension/src/service/worklist-words.ts';

const item: WorklistItem = {
  ...{
    studyInstanceUid: '1.2',
    seriesInstanceUid: '1.2.3',
    volume: null,
    modality: 'MR',
    bodyPart: null,
    description: null,
  },
  ...{ studyDate: null, state: 'new', uncertainty: null, version: null, openBy: null, conflict: false },
};

test('a case says what it is and what has become of it, and leaves out what the PACS does not tell', () => {
  assert.deepEqual(describeCase(item), { title: 'MR', details: 'new' });
  const told = { bodyPart: 'BRAIN', description: 'T1 sagittal', studyDate: '20240102' };
  assert.deepEqual(describeCase({ ...item, ...told, state: 'segmented', uncertainty: 0.2, openBy: 'another' }), {
    title: 'MR · BRAIN · T1 sagittal',
    details: 'segmented · uncertainty moderate · open by another reader · 2 Jan 2024',
  });
  assert.equal(describeCase({ ...item, volume: 'EchoTime=30' }).title, 'MR · EchoTime=30');
  assert.equal(describeCase({ ...item, state: 'corrected', conflict: true }).details, 'readers disagree');
  assert.equal(describeCase({ ...item, studyDate: '2024' }).details, 'new · 2024');
});

test('a version says where it comes from', () => {
  const engine = 'onnx cpu';
  assert.equal(describeLineage({ parent: null, lineage: null, engine }), 'trained from a recipe (onnx cpu)');
  const lineage = {
    ...{ round: '0a1b2c3d-0000-4000-8000-000000000000', corrections: 1, planSha256: 'f'.repeat(64), seed: 7 },
    code: { version: '0.1.0', commit: 'e'.repeat(40) },
  };
  assert.equal(
    describeLineage({ parent: 2, lineage, engine }),
    'from version 2, 1 correction; round 0a1b2c3d, data ffffffffff, seed 7, onnx cpu, UnCoL 0.1.0, commit eeeeeeeeee',
  );
  const installed = { ...lineage, code: { version: '0.1.0', commit: null } };
  assert.match(describeLineage({ parent: 2, lineage: installed, engine }), /UnCoL 0\.1\.0$/);
});

test('a way of learning says what came of it, with its trust rates where it had teachers', () => {
  const arm = { source: 'student', step: 40, steps: 80, scores: [], subjects: 0.8, corrected: 0.9 } as const;
  const means = { loss: 1, trustGeneralized: 0.2, trustSpecialized: 0.7, ignored: 0.3 };
  assert.equal(
    describeArm({ ...arm, arm: 'uncol', means }),
    'With unchecked studies: Dice 0.800 on generated subjects, 0.900 on corrected slices, best after step 40 of 80; ' +
      'foundation model trusted on 20 %, own average trusted on 70 %, trusted by neither 30 % of pixels.',
  );
  assert.match(describeArm({ ...arm, arm: 'supervised', means: {} }), /^From corrections alone: .* step 40 of 80\.$/);
  assert.match(describeTrigger({ trigger: 'person' }), /^Started by a person\.$/);
});
