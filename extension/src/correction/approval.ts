import type { CorrectionHead } from '../api/contract.ts';

/** What the reader did, as far as it decides which slices count. */
export interface ReaderWork {
  /** Ids of all slices of the mask. */
  readonly allSlices: readonly string[];
  /** Slices where at least one voxel differs from the model's own mask. */
  readonly editedSlices: readonly string[];
  /** Slices that the reader ticked as right. */
  readonly tickedSlices: readonly string[];
}

/** The slices a submission vouches for; every other slice counts as unlabelled, never as truth. */
export type Approval = Pick<CorrectionHead, 'kind' | 'approvedSlices'>;

/**
 * Slices that a reader vouches for, in the order of `allSlices`: those ticked, and those edited, because an edit is the
 * reader's own hand.
 */
export function vouchedSlices({ allSlices, editedSlices, tickedSlices }: ReaderWork): readonly string[] {
  const vouched = new Set([...editedSlices, ...tickedSlices]);
  return allSlices.filter((slice) => vouched.has(slice));
}

/**
 * What would be handed in now: a correction where something was changed; else the mask as it is, on the ticked slices, on
 * all where none is ticked.
 */
export function approve(work: ReaderWork): Approval {
  const vouched = vouchedSlices(work);
  if (work.editedSlices.length > 0) return { kind: 'edited', approvedSlices: [...vouched] };
  return { kind: 'accepted', approvedSlices: [...(vouched.length > 0 ? vouched : work.allSlices)] };
}
