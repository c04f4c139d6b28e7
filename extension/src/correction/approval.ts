import type { CorrectionHead } from '../api/contract.ts';

/** What the reader did, as far as it decides which slices count. */
export interface ReaderWork {
  /** SOP Instance UIDs of all slices of the mask. */
  readonly allSlices: readonly string[];
  /** Slices where at least one voxel differs from the model's own mask. */
  readonly editedSlices: readonly string[];
  /** The reader ticked *I checked every slice*. */
  readonly checkedEverySlice: boolean;
}

/** The slices a submission vouches for; every other slice counts as unlabelled, never as truth. */
export type Approval = Pick<CorrectionHead, 'kind' | 'approvedSlices'>;

/**
 * The approval of a submitted correction: the edited slices, or all after the tick. Null when there is nothing to
 * vouch for: an unchanged mask is accepted, not corrected.
 */
export function approveCorrection(work: ReaderWork): Approval | null {
  if (work.editedSlices.length === 0) return null;
  const approvedSlices = work.checkedEverySlice ? work.allSlices : work.editedSlices;
  return { kind: 'edited', approvedSlices: [...approvedSlices] };
}

/** The approval of an accepted mask: unchanged, all slices. Null when something was changed. */
export function approveUnchanged(work: ReaderWork): Approval | null {
  if (work.editedSlices.length > 0) return null;
  return { kind: 'accepted', approvedSlices: [...work.allSlices] };
}
