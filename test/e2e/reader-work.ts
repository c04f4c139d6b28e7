import assert from 'node:assert/strict';
import { diceOf, type MaskBySlice, type TrueStudy } from './truth.ts';
import type { ViewerPage } from './viewer-page.ts';

/** A round of these tests takes less. */
export const roundLimitMs = 8 * 60_000;

/** Opens the newest SEG of the study the way a reader does: double click on its row, then agree to load it. */
export async function loadSeg(viewer: ViewerPage): Promise<void> {
  const rows = viewer.page.locator('[data-cy="study-browser-thumbnail-no-image"]');
  // The SR with its volumes stands below it.
  await rows.filter({ hasText: 'SEG' }).last().dblclick();
  await viewer.page.getByRole('button', { name: 'Yes', exact: true }).click();
  await viewer.page.waitForFunction('cornerstoneTools.segmentation.state.getSegmentations().length > 0');
}

/** Opens a lesion study and segments it; answers the Dice against its truth. */
export async function segmentLesion(viewer: ViewerPage, study: TrueStudy): Promise<number> {
  await viewer.openStudy(study.studyInstanceUid);
  await viewer.chooseModel('lesion-mr');
  await viewer.segment();
  return diceOf(await viewer.readMask(), study.truth);
}

/** A reader's whole work on one study: segment, edit to what `edit` makes of the truth, check every slice, submit. */
export async function correctLesion(
  viewer: ViewerPage,
  study: TrueStudy,
  edit: (truth: MaskBySlice) => MaskBySlice,
): Promise<void> {
  await segmentLesion(viewer, study);
  await viewer.writeMask(edit(study.truth));
  await viewer.panel.getByTestId('difference').waitFor();
  await viewer.panel.getByLabel(/^I checked every slice/).check();
  await viewer.press(/^Submit correction/);
  await viewer.panel.getByTestId('receipt').waitFor();
}

/** How the running round ends: `promoted`, `refused` or `waiting`. */
export async function waitForVerdict(viewer: ViewerPage): Promise<string | null> {
  const verdict = viewer.panel.getByTestId('verdict');
  await viewer.panel.getByTestId('round-running').waitFor({ state: 'detached', timeout: roundLimitMs });
  await verdict.waitFor();
  return verdict.getAttribute('data-outcome');
}

/** Of a truth the slice with most of it. */
export function largestSlice(truth: MaskBySlice): string {
  const count = (voxels: Uint8Array) => voxels.reduce((sum, voxel) => sum + voxel, 0);
  const [largest] = [...truth].sort(([, a], [, b]) => count(b) - count(a));
  return largest?.[0] ?? '';
}

/** Fails unless both masks hold the same. */
export function assertSameVoxels(loaded: MaskBySlice, submitted: MaskBySlice): void {
  assert.equal(loaded.size, submitted.size);
  let different = 0;
  for (const [uid, voxels] of submitted) {
    const other = loaded.get(uid);
    assert.ok(other, `the loaded SEG has no slice ${uid}`);
    for (let i = 0; i < voxels.length; i++) if (voxels[i] !== other[i]) different++;
  }
  assert.equal(different, 0, `${different} voxels differ from the mask that was submitted`);
}
