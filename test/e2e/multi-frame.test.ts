import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs } from '../../server/src/study/dicomweb.ts';
import type { Pacs } from '../../server/src/study/pacs.ts';
import { type MadeMultiFrame, makeMultiFrame } from '../fixtures/make-multi-frame.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { findChromium, type RunningProduct, startProduct } from './harness.ts';
import { assertSameVoxels, loadSeg } from './reader-work.ts';
import { diceOf, type MaskBySlice } from './truth.ts';
import { ViewerPage } from './viewer-page.ts';

const chromium = findChromium();
const sample = await findSampleRoot();
const options = { skip: chromium.skip || sample.skip };

let home: string;
let orthanc: Awaited<ReturnType<typeof startOrthanc>>;
let pacs: Pacs;
let product: RunningProduct;
let browser: Browser;
let viewer: ViewerPage;
/** Frames out of order, as scanners store them. */
let made: MadeMultiFrame;
let truth: MaskBySlice;
let pixels: number;

before(async () => {
  if (options.skip) return;
  home = await mkdtemp(join(tmpdir(), 'uncol-frames-'));
  orthanc = await startOrthanc({ home, log: () => undefined });
  pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 30, retries: 1 });
  const of = { seed: 10_000, task: 'brain', variation: 'sample', plane: 'axial', spacingMm: [2, 2, 2] } as const;
  const subject = generateSubject(await loadColin27(sample.root), of);
  made = makeMultiFrame(subject.volume, { attributes: { PatientName: 'FRAMES^ENHANCED', PatientID: 'MF-1' } });
  const [columns, rows] = subject.volume.geometry.size;
  pixels = columns * rows;
  truth = new Map(
    made.order.map((k, n) => [`${made.sopInstanceUid}:${n + 1}`, subject.truth.subarray(k * pixels, (k + 1) * pixels)]),
  );
  await pacs.store(made.file);
  const file = join(home, 'credentials.json');
  await writeFile(file, JSON.stringify(orthanc.credentials), { mode: 0o600 });
  product = await startProduct({
    UNCOL_PACS_URL: orthanc.url,
    UNCOL_PACS_CREDENTIALS_FILE: file,
    UNCOL_WORKLIST_AHEAD: '0',
    UNCOL_CORRECTIONS_PER_ROUND: '99',
  });
  browser = await ViewerPage.launch(chromium.path);
  viewer = await ViewerPage.open(browser, product.url);
});

after(async () => {
  await browser?.close();
  await product?.stop();
  await pacs?.close();
  await orthanc?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

test(
  'an enhanced multi-frame series is segmented, corrected, stored, and loaded again frame by frame',
  options,
  async () => {
    const { studyInstanceUid } = made;
    await viewer.openStudy(studyInstanceUid);
    await viewer.chooseModel('brain-mr');
    await viewer.segment();
    const dice = diceOf(await viewer.readMask(), truth);
    await viewer.keepPicture('20-frames-mask');
    assert.ok(dice >= 0.95, `Dice against the truth is ${dice.toFixed(4)}`);

    await viewer.writeMask(truth);
    await viewer.panel.getByTestId('difference').waitFor();
    await viewer.panel.getByLabel(/^I checked every slice/).check();
    await viewer.press(/^Submit correction/);
    await viewer.panel.getByTestId('receipt').waitFor();

    const [stored] = await pacs.searchSeries({ studyInstanceUid, modality: 'SEG' });
    assert.ok(stored);
    const [seg] = await readSegs(pacs, { studyInstanceUid, seriesInstanceUid: stored.seriesInstanceUid });
    assert.ok(seg);
    const frames = [...truth.keys()];
    const seen = labelsOf(seg, frames, pixels);
    assertSameVoxels(new Map(frames.map((frame, n) => [frame, seen.subarray(n * pixels, (n + 1) * pixels)])), truth);

    await viewer.openStudy(studyInstanceUid);
    await loadSeg(viewer);
    assertSameVoxels(await viewer.readMask(), truth);
    await viewer.keepPicture('21-frames-loaded');
    assert.deepEqual(viewer.faults, []);
  },
);
