import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { type MadeSeries, makeSeries } from '../fixtures/make-series.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { python, skipWithout } from '../fixtures/validators.ts';
import { findChromium } from './harness.ts';
import { openSite, type ViewerSite } from './site.ts';

const chromium = findChromium();
const sample = await findSampleRoot();
const options = { skip: chromium.skip || sample.skip || skipWithout('python3') };

let site: ViewerSite;
let made: MadeSeries;

before(async () => {
  if (options.skip) return;
  const of = { seed: 10_000, task: 'brain', variation: 'sample', plane: 'axial', spacingMm: [2, 2, 4] } as const;
  const { volume } = generateSubject(await loadColin27(sample.root), of);
  const frameOfReferenceUid = '1.2.826.8.1';
  const attributes = { PatientID: 'I-1', PatientName: 'IMPORT^PANEL', FrameOfReferenceUID: frameOfReferenceUid };
  made = makeSeries(volume, { attributes: () => attributes });
  site = await openSite(chromium.path);
  for (const file of made.files) await site.pacs.store(file);
  await site.pacs.store(await writeForeignSeg({ ...volume.geometry, frameOfReferenceUid }));
});

after(() => site?.close());

/** Half the resolution of the image, on three of its slices, by pydicom. */
async function writeForeignSeg(geometry: object): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-import-'));
  try {
    const [object, mask] = [join(folder, 'object.dcm'), join(folder, 'mask.raw')];
    const uids = { studyInstanceUid: made.studyInstanceUid, seriesInstanceUid: '2.25.931', sopInstanceUid: '2.25.932' };
    const rest = { slices: [10, 12, 14], coarser: 2, label: 'Hirn', patientId: 'I-1', characterSet: 'ISO_IR 192' };
    const script = join(import.meta.dirname, '../conformance/write-sparse-seg.py');
    execFileSync(python, ['-W', 'ignore', script, object, mask], {
      input: JSON.stringify({ ...geometry, ...uids, ...rest }),
    });
    return await readFile(object);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test(
  'a mask made elsewhere is handed in from the panel, which asks what it shows and what may be done to it',
  options,
  async () => {
    const { viewer } = site;
    const { panel } = viewer;
    await viewer.openStudy(made.studyInstanceUid);
    await viewer.chooseModel('brain-mr');
    await viewer.segment();

    await viewer.press('Show the masks of this study');
    await panel.getByRole('radio').check();
    await viewer.press('Hand it in as a correction');
    const questions = panel.getByTestId('import-questions');
    await questions.scrollIntoViewIfNeeded();
    await viewer.keepPicture('30-import-questions');
    await questions.getByRole('combobox').selectOption({ label: 'brain' });

    await viewer.press('Hand it in as a correction');
    const agreement = panel.getByLabel(/Carry it over by the nearest voxel/);
    await agreement.scrollIntoViewIfNeeded();
    await viewer.keepPicture('31-import-grid');
    await agreement.check();
    await viewer.press('Hand it in as a correction');

    const receipt = panel.getByTestId('imported');
    await receipt.scrollIntoViewIfNeeded();
    await viewer.keepPicture('32-import-received');
    const text = (await receipt.textContent()) ?? '';
    assert.match(text, /Handed in as a correction/);
    assert.match(text, /Carried over by the nearest voxel/);
    await viewer.press('Take back');
    await receipt.getByText('Taken back', { exact: true }).waitFor();
    assert.deepEqual(viewer.faults, []);
  },
);
