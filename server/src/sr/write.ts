import { codeItem } from '../seg/codes.ts';
import { repairHeader } from '../seg/header.ts';
import { encodePart10 } from '../seg/part10.ts';
import { describeEquipment, describeSeries, dicomDateTime, referTo } from '../seg/provenance.ts';
import { referToSeg } from '../seg/write.ts';
import { objectsOf } from '../study/source-series.ts';
import { concepts } from './codes.ts';
import { containerOf } from './items.ts';
import { describeReview, type Reported, reportContent } from './report.ts';

/** Comprehensive 3D SR (PS3.3 A.35.13): Enhanced SR has no coordinates in the patient. */
export const comprehensive3dSrStorage = '1.2.840.10008.5.1.4.1.1.88.34';

/** Everything that makes one SR; nothing is drawn or looked up while writing, so the same request gives the same bytes. */
export interface SrRequest extends Reported {
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly seriesNumber: number;
}

/**
 * The volumes of a mask that a reader handed in, as a Measurement Report (PS3.16 TID 1500) in a Comprehensive 3D SR
 * (PS3.3 A.35.13), Explicit VR Little Endian. It points at the SEG of the same request and carries the same patient and
 * study attributes.
 *
 * @returns the file, and what had to be repaired in the copied source attributes.
 * @throws AppError `series-not-writable`: source attributes cannot be written.
 */
export function writeSr(request: SrRequest): { readonly bytes: Uint8Array; readonly notes: readonly string[] } {
  const { seg } = request;
  const { attributes, notes } = repairHeader(seg.source.header);
  const bytes = encodePart10({
    ...attributes,
    ...identity(request),
    ...describeEquipment(seg.model),
    ...state(request),
    CurrentRequestedProcedureEvidenceSequence: [evidence(request)],
    ValueType: 'CONTAINER',
    ConceptNameCodeSequence: [codeItem(concepts.imagingMeasurementReport)],
    ...containerOf(reportContent(request), '1500'),
  });
  return { bytes, notes };
}

/** SR Document Series (PS3.3 C.17.1) and SOP Common. */
function identity({ seg, ...own }: SrRequest): Record<string, unknown> {
  const { date, time } = dicomDateTime(seg.createdAt);
  const corrected = seg.algorithmType === 'SEMIAUTOMATIC';
  return {
    SOPClassUID: comprehensive3dSrStorage,
    SOPInstanceUID: own.sopInstanceUid,
    StudyInstanceUID: seg.source.studyInstanceUid,
    SeriesInstanceUID: own.seriesInstanceUid,
    Modality: 'SR',
    SeriesNumber: own.seriesNumber,
    SeriesDate: date,
    SeriesTime: time,
    SeriesDescription: describeSeries(seg.model, 'volumes', ...(corrected ? ['corrected'] : [])),
    ReferencedPerformedProcedureStepSequence: [],
    InstanceNumber: 1,
    ContentDate: date,
    ContentTime: time,
    InstanceCreationDate: date,
    InstanceCreationTime: time,
  };
}

/**
 * How far the document is (PS3.3 C.17.2): partial while slices are left that nobody vouches for. It is never verified,
 * because an account of this server is no verifying observer, a person with an identity and an organisation.
 */
function state(request: SrRequest): Record<string, unknown> {
  const isWhole = request.vouchedSlices === request.seg.source.instances.length;
  return {
    CompletionFlag: isWhole ? 'COMPLETE' : 'PARTIAL',
    CompletionFlagDescription: describeReview(request),
    VerificationFlag: 'UNVERIFIED',
    PerformedProcedureCodeSequence: [],
  };
}

/** All that the content refers to (PS3.3 C.17.2.3): the source series and the SEG. */
function evidence({ seg }: SrRequest): Record<string, unknown> {
  const { source } = seg;
  return {
    StudyInstanceUID: source.studyInstanceUid,
    ReferencedSeriesSequence: [
      { SeriesInstanceUID: source.seriesInstanceUid, ReferencedSOPSequence: objectsOf(source.instances).map(referTo) },
      { SeriesInstanceUID: seg.seriesInstanceUid, ReferencedSOPSequence: [referToSeg(seg)] },
    ],
  };
}
