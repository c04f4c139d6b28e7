import type { SegRequest } from '../seg/write.ts';
import type { SrRequest } from '../sr/write.ts';
import type { CorrectionRow } from '../store/corrections.ts';

/** Series number of reports: next to the corrected masks. */
const seriesNumber = 9002;

/** Where the report of a correction is; undefined for a correction made before there were reports. */
export function addressSr({ studyInstanceUid, srSeriesInstanceUid, srSopInstanceUid }: CorrectionRow) {
  if (srSeriesInstanceUid === null || srSopInstanceUid === null) return undefined;
  return { studyInstanceUid, seriesInstanceUid: srSeriesInstanceUid, sopInstanceUid: srSopInstanceUid };
}

/** What the report of a correction is written from: the same mask as its SEG, and how much of it the reader vouches for. */
export function requestSr(
  correction: CorrectionRow,
  address: { readonly seriesInstanceUid: string; readonly sopInstanceUid: string },
  seg: SegRequest,
  modality: string,
): SrRequest {
  const { seriesInstanceUid, sopInstanceUid } = address;
  const vouchedSlices = correction.approvedSlices.length;
  return { seg, modality, vouchedSlices, seriesInstanceUid, sopInstanceUid, seriesNumber };
}
