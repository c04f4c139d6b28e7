import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { type MadeMultiFrame, makeMultiFrame } from '../fixtures/make-multi-frame.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { findChromium } from './harness.ts';
import { assertSameVoxels, loadSeg } from './reader-work.ts';
import { openSite, type ViewerSite } from './site.ts';
import { diceOf, type MaskBySlice } from './truth.ts';

const chromium = findChromium();
const sample = await findSampleRoot();
const options = { skip: chromium.skip || sample.skip };

let site: ViewerSite;
/** Frames out of order, as scanners store them. */
let made: MadeMultiFrame;
let truth: MaskBySlice;
let pixels: number;

before(async () => {
  if (options.skip) return;
  const of = { seed: 10_000, task: 'brain', variation: 'sample', plane: 'axial', spacingMm: [2, 2, 2] } as const;
  const subject = generateSubject(await loadColin27(sample.root), of);
  made = makeMultiFrame(subject.volume, { attributes: { PatientName: 'FRAMES^ENHANCED', PatientID: 'MF-1' } });
  const [columns, rows] = subject.volume.geometry.size;
  pixels = columns * rows;
  truth = new Map(
    made.order.map((k, n) => [`${made.sopInstanceUid}:${n + 1}`, subject.truth.subarray(k * pixels, (k + 1) * pixels)]),
  );
  site = await openSite(chromium.path);
  await site.pacs.store(made.file);
});

after(() => site?.close());

test(
  'an enhanced multi-frame series is segmented, corrected, stored, and loaded again frame by frame',
  options,
  async () => {
    const { studyInstanceUid } = made;
    const { pacs, viewer } = site;
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
