import type { CorrectionHead } from '../api/contract.ts';

/** What the reader did, as far as it decides which slices count. */
export interface ReaderWork {
  /** SOP Instance UIDs of all slices of the mask. */
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

/** What would be handed in now: a correction, or the mask as it is. */
export function approve(work: ReaderWork): Approval {
  return approveCorrection(work) ?? { kind: 'accepted', approvedSlices: [...acceptedSlices(work)] };
}

/** The approval of a submitted correction. Null when nothing was changed: such a mask is accepted, not corrected. */
export function approveCorrection(work: ReaderWork): Approval | null {
  if (work.editedSlices.length === 0) return null;
  return { kind: 'edited', approvedSlices: [...vouchedSlices(work)] };
}

/** The approval of an unchanged mask: the ticked slices, all where none is ticked. Null when something was changed. */
export function approveUnchanged(work: ReaderWork): Approval | null {
  if (work.editedSlices.length > 0) return null;
  return { kind: 'accepted', approvedSlices: [...acceptedSlices(work)] };
}

function acceptedSlices(work: ReaderWork): readonly string[] {
  return work.tickedSlices.length > 0 ? vouchedSlices(work) : work.allSlices;
}
