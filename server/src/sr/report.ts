import type { Code, Segment } from '../labelmap/labelmap.ts';
import { measureSegments, type SegmentExtent } from '../labelmap/metrics.ts';
import { codes, lateralities } from '../seg/codes.ts';
import {
  describeAlgorithm,
  type ModelReference,
  manufacturer,
  modelName,
  readerName,
  referTo,
  trackSegment,
} from '../seg/provenance.ts';
import { deriveUid } from '../seg/uid.ts';
import { referToSeg, type SegRequest } from '../seg/write.ts';
import { objectsOf } from '../study/source-series.ts';
import { anyProcedure, concepts, modalities } from './codes.ts';
import { type ContentItem, code, container, image, measured, personName, point, text, uidRef } from './items.ts';

/** A mask that a reader handed in, with what its SEG does not say of it. */
export interface Reported {
  /** What the SEG was, or is to be, written from. */
  readonly seg: SegRequest;
  /** Of the source series, e.g. `MR`. */
  readonly modality: string;
  /** How many slices of the series the reader vouches for. */
  readonly vouchedSlices: number;
}

/** Says how far the reader went; what a mask covers beyond the slices vouched for nobody has looked at. */
export function describeReview({ seg, vouchedSlices }: Reported): string {
  return `A reader vouches for ${vouchedSlices} of ${seg.source.instances.length} slices.`;
}

/** The sentence that goes with every measurement, wherever it is copied to. */
function warn(reported: Reported): string {
  const origin =
    reported.seg.algorithmType === 'SEMIAUTOMATIC'
      ? 'AI-generated and edited by a reader'
      : 'AI-generated, accepted by a reader without an edit';
  return `${origin}. Research use only, not for diagnosis. ${describeReview(reported)} Volumes count every slice.`;
}

/** The content of a Measurement Report (PS3.16 TID 1500) in the order that the template asks for. */
export function reportContent(reported: Reported): readonly ContentItem[] {
  const { seg, modality } = reported;
  const groups = measureSegments(seg.labelmap).flatMap((extent) => measurementGroup(extent, reported));
  return [
    code('HAS CONCEPT MOD', concepts.language, concepts.english),
    ...observers(seg.model),
    code('HAS CONCEPT MOD', concepts.procedureReported, modalities.get(modality)?.procedure ?? anyProcedure),
    imageLibrary(reported),
    // A mask without a voxel has nothing to measure; the report still says that it was looked at.
    ...(groups.length > 0 ? [container(concepts.imagingMeasurements, groups)] : []),
    container(concepts.qualitativeEvaluations, [text('CONTAINS', concepts.comment, warn(reported))]),
  ];
}

/** Observation Context (TID 1001): a reader (TID 1003) and the model (TID 1004). */
function observers(model: ModelReference): readonly ContentItem[] {
  const context = 'HAS OBS CONTEXT';
  return [
    code(context, concepts.observerType, concepts.person),
    personName(context, concepts.personObserverName, readerName),
    code(context, concepts.observerType, concepts.device),
    // One weights file is one device, wherever and whenever it was used.
    uidRef(context, concepts.deviceObserverUid, deriveUid('device observer', model.sha256)),
    text(context, concepts.deviceObserverName, `${model.name}@${model.version}`),
    text(context, concepts.deviceObserverManufacturer, manufacturer),
    text(context, concepts.deviceObserverModelName, modelName),
    text(context, concepts.deviceObserverSerialNumber, model.sha256.slice(0, 16)),
  ];
}

/** Image Library (TID 1600): the source series, as one group. */
function imageLibrary({ seg, modality }: Reported): ContentItem {
  const acquisition = modalities.get(modality)?.acquisition;
  const group = container(concepts.imageLibraryGroup, [
    ...(acquisition ? [code('HAS ACQ CONTEXT', concepts.modality, acquisition)] : []),
    ...objectsOf(seg.source.instances).map((instance) => image(referTo(instance))),
  ]);
  return container(concepts.imageLibrary, [group], '1600');
}

/** One Measurement Group (TID 1411) of a segment that has voxels; none of another. */
function measurementGroup({ number, ml, centre }: SegmentExtent, reported: Reported): readonly ContentItem[] {
  const { labelmap, model, source, trackingUid } = reported.seg;
  const segment = labelmap.segments.find((known) => known.number === number);
  if (!segment || centre === null) return [];
  const tracking = trackSegment(segment, trackingUid);
  const segmentReference = {
    ...referToSeg(reported.seg),
    ReferencedSegmentNumber: number,
  };
  const content = [
    text('HAS OBS CONTEXT', concepts.trackingIdentifier, tracking.id),
    // Before every other UID: OHIF takes the first one of a group for the tracking UID.
    uidRef('HAS OBS CONTEXT', concepts.trackingUniqueIdentifier, tracking.uid),
    code('CONTAINS', concepts.finding, segment.type),
    image(segmentReference, concepts.referencedSegment),
    uidRef('CONTAINS', concepts.sourceSeries, source.seriesInstanceUid),
    ...algorithm(model),
    code('HAS CONCEPT MOD', concepts.measurementMethod, concepts.sumOfVoxels),
    ...findingSite(segment),
    measured(concepts.volume, ml, concepts.cubicCentimetre),
    // The template does not ask for it: OHIF 3.13 opens an empty viewport for a report whose groups hold no coordinate.
    point(concepts.center, centre, source.frameOfReferenceUid),
    text('CONTAINS', concepts.comment, warn(reported)),
  ];
  return [container(concepts.measurementGroup, content, '1411')];
}

/** Algorithm Identification (TID 4019), the same words as in the SEG. */
function algorithm(model: ModelReference): readonly ContentItem[] {
  const { name, version, parameters } = describeAlgorithm(model);
  return [
    code('HAS CONCEPT MOD', concepts.algorithmFamily, codes.artificialIntelligence),
    text('HAS CONCEPT MOD', concepts.algorithmName, name),
    text('HAS CONCEPT MOD', concepts.algorithmVersion, version),
    text('HAS CONCEPT MOD', concepts.algorithmParameters, parameters),
  ];
}

/** Where the finding is and on which side: the segment's region, or itself where it is a paired structure. */
function findingSite({ anatomicRegion, laterality, type }: Segment): readonly ContentItem[] {
  const site: Code | undefined = anatomicRegion ?? (laterality ? type : undefined);
  if (!site) return [];
  const side = laterality ? [code('HAS CONCEPT MOD', concepts.laterality, lateralities[laterality])] : [];
  return [code('HAS CONCEPT MOD', concepts.findingSite, site, side)];
}
