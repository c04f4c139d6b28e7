import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { type MadeVolumes, makeEchoes, makeObjects, makeTimePoints } from '../fixtures/make-volumes.ts';
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
let subject: ReturnType<typeof generateSubject>;
let pixels: number;

before(async () => {
  if (options.skip) return;
  const of = { seed: 10_000, task: 'brain', variation: 'sample', plane: 'axial', spacingMm: [2, 2, 4] } as const;
  subject = generateSubject(await loadColin27(sample.root), of);
  const [columns, rows] = subject.volume.geometry.size;
  pixels = columns * rows;
  site = await openSite(chromium.path);
});

after(() => site?.close());

/** The truth on the slices of one volume. */
function truthOn({ volumes }: MadeVolumes, n: number): MaskBySlice {
  const slices = volumes[n]?.slices ?? [];
  return new Map(slices.map((id, k) => [id, subject.truth.subarray(k * pixels, (k + 1) * pixels)]));
}

/** What is left of a mask on slices that have any. */
function painted(mask: MaskBySlice): MaskBySlice {
  return new Map([...mask].filter(([, voxels]) => voxels.some((voxel) => voxel > 0)));
}

/** Chooses a volume of the series on display in the panel, and segments it. */
async function segmentVolume(name: string): Promise<void> {
  const { panel } = site.viewer;
  const choice = panel.getByTestId('volume-choice');
  await choice.getByLabel('Volumes of this series').selectOption(name);
  await choice.getByRole('button', { name: 'Segment this volume' }).click();
  await panel.getByTestId('volume').getByText(name).waitFor();
  await panel.getByTestId('mask-model').waitFor();
}

/** Waits until a mask is laid on the images on display, and for the picture of it. */
async function waitForOverlay(): Promise<void> {
  const { page } = site.viewer;
  await page.waitForFunction(
    'services.segmentationService.getSegmentationRepresentations(services.viewportGridService.getActiveViewportId()).length > 0',
  );
  await page.waitForTimeout(2000);
}

/** Goes back to the series as the viewer itself shows it. */
async function showWholeSeries(): Promise<void> {
  const { page, panel } = site.viewer;
  await page.locator('[data-cy="study-browser-thumbnail"]').first().dblclick();
  await panel.getByTestId('volume-choice').waitFor();
}

/** Corrects the mask on display to a truth, hands it in, and holds the newest SEG of the study against it by pydicom. */
async function correct(made: MadeVolumes, truth: MaskBySlice): Promise<void> {
  const { viewer, pacs } = site;
  const { studyInstanceUid } = made;
  const before = await pacs.searchSeries({ studyInstanceUid, modality: 'SEG' });
  await viewer.writeMask(truth);
  await viewer.panel.getByTestId('difference').waitFor();
  await viewer.panel.getByLabel(/^I checked every slice/).check();
  await viewer.press(/^Submit correction/);
  await viewer.panel.getByTestId('receipt').waitFor();
  const known = new Set(before.map(({ seriesInstanceUid }) => seriesInstanceUid));
  const stored = (await pacs.searchSeries({ studyInstanceUid, modality: 'SEG' })).filter(
    ({ seriesInstanceUid }) => !known.has(seriesInstanceUid),
  );
  assert.equal(stored.length, 1);
  const [seg] = await readSegs(pacs, { studyInstanceUid, seriesInstanceUid: stored[0]?.seriesInstanceUid ?? '' });
  assert.ok(seg);
  const ids = [...truth.keys()];
  const seen = labelsOf(seg, ids, pixels);
  assertSameVoxels(new Map(ids.map((id, n) => [id, seen.subarray(n * pixels, (n + 1) * pixels)])), truth);
}

test(
  'of two echoes in one series the reader chooses each, and a mask lies on its own slices alone',
  options,
  async () => {
    const { viewer, pacs } = site;
    const made = makeEchoes(subject.volume, 'echoes', {
      ...{ PatientName: 'VOLUMES^ECHOES', PatientID: 'V-1', SeriesDescription: 'two echoes' },
    });
    for (const file of made.files) await pacs.store(file);
    await viewer.openStudy(made.studyInstanceUid);
    await viewer.chooseModel('brain-mr');
    await viewer.press(/^Segment/);
    await viewer.panel.getByTestId('volume-choice').waitFor();
    assert.equal(await viewer.panel.getByRole('alert').count(), 0);
    await viewer.keepPicture('22-volumes-choice');

    await segmentVolume('EchoTime=30');
    const second = truthOn(made, 1);
    const mask = await viewer.readMask();
    assert.deepEqual([...mask.keys()].sort(), [...second.keys()].sort());
    const dice = diceOf(mask, second);
    await viewer.keepPicture('23-volumes-mask');
    assert.ok(dice >= 0.9, `Dice against the truth is ${dice.toFixed(4)}`);
    await viewer.press(/^Show where it is unsure/);
    await viewer.panel.getByTestId('uncertainty-legend').waitFor();
    assert.deepEqual([...(await viewer.readMask()).keys()].sort(), [...second.keys()].sort());
    await viewer.press(/^Hide where it is unsure/);
    await viewer.panel.getByTestId('uncertainty-legend').waitFor({ state: 'detached' });
    await correct(made, second);
    await viewer.keepPicture('24-volumes-corrected');
    assert.deepEqual(viewer.faults, []);

    // What another reader sees: the series as the viewer has it, the SEG on the slices of its own volume.
    await viewer.openStudy(made.studyInstanceUid);
    await loadSeg(viewer);
    assertSameVoxels(painted(await viewer.readMask()), painted(second));
    await waitForOverlay();
    await viewer.keepPicture('25-volumes-loaded');
  },
);

test('time points in one multi-frame object are shown and corrected apart, too', options, async () => {
  const { viewer, pacs } = site;
  const made = makeTimePoints(subject.volume, 'time points', { PatientName: 'VOLUMES^TIME', PatientID: 'V-2' });
  for (const file of made.files) await pacs.store(file);
  await viewer.openStudy(made.studyInstanceUid);
  await viewer.chooseModel('brain-mr');
  const [first, second] = [truthOn(made, 0), truthOn(made, 1)];
  await viewer.press(/^Segment/);
  await segmentVolume('TemporalPositionIndex=2');
  const mask = await viewer.readMask();
  assert.deepEqual([...mask.keys()].sort(), [...second.keys()].sort());
  await viewer.keepPicture('26-time-point');
  await correct(made, second);
  await showWholeSeries();
  await segmentVolume('TemporalPositionIndex=1');
  assert.deepEqual([...(await viewer.readMask()).keys()].sort(), [...first.keys()].sort());
  await correct(made, first);

  // Chosen again, a volume is shown with the mask that it has.
  await showWholeSeries();
  await segmentVolume('TemporalPositionIndex=2');
  await waitForOverlay();
  await viewer.panel.getByTestId('receipt').waitFor();
  await viewer.keepPicture('27-time-point-again');
  assert.deepEqual(viewer.faults, []);
});

test('a volume that is an object of its own is shown as the viewer lists it, in planes as well', options, async () => {
  const { viewer, pacs } = site;
  const made = makeObjects(subject.volume, 'objects', { PatientName: 'VOLUMES^OBJECTS', PatientID: 'V-3' });
  for (const file of made.files) await pacs.store(file);
  await viewer.openStudy(made.studyInstanceUid);
  await viewer.chooseModel('brain-mr');
  const listed = await viewer.page.evaluate('services.displaySetService.getActiveDisplaySets().length');
  const second = truthOn(made, 1);
  await viewer.page.evaluate("commandsManager.run('setHangingProtocol', { protocolId: 'mpr' })");
  await viewer.page.waitForFunction('services.viewportGridService.getState().viewports.size === 3');
  await viewer.showPanel();
  await viewer.press(/^Segment/);
  await segmentVolume('TemporalPositionIndex=2');
  await waitForOverlay();
  const images = "services.displaySetService.getActiveDisplaySets().filter(({ Modality }) => Modality === 'MR').length";
  assert.equal(await viewer.page.evaluate(images), listed);
  assert.deepEqual([...(await viewer.readMask()).keys()].sort(), [...second.keys()].sort());
  await viewer.keepPicture('28-objects-in-planes');
  await correct(made, second);
  assert.deepEqual(viewer.faults, []);
});
