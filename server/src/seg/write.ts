import { AppError } from '../errors/app-error.ts';
import type { Labelmap, Segment } from '../labelmap/labelmap.ts';
import { objectsOf, type SourceSeries } from '../study/source-series.ts';
import { type Geometry, indexToPatient, sliceStepMm, type Vec3 } from '../volume/geometry.ts';
import { cieLab, codeItem, codes, lateralities } from './codes.ts';
import { repairHeader } from './header.ts';
import { packBinary, type SegFrame } from './pack.ts';
import { decimalString, encodePart10 } from './part10.ts';
import {
  describeAlgorithm,
  describeEquipment,
  describeSeries,
  dicomDateTime,
  type ModelReference,
  readerName,
  referTo,
  referToFrame,
  trackSegment,
} from './provenance.ts';
import { deriveUid } from './uid.ts';

/** SOP class of what is written here (PS3.4 B.5). */
export const segmentationStorage = '1.2.840.10008.5.1.4.1.1.66.4';

/** What a SEG needs to know of the series it lies on. */
export type SegSource = Pick<
  SourceSeries,
  'studyInstanceUid' | 'seriesInstanceUid' | 'frameOfReferenceUid' | 'instances' | 'header' | 'lossy'
>;

/** Everything that makes one SEG; nothing is drawn or looked up while writing, so the same request gives the same bytes. */
export interface SegRequest {
  readonly source: SegSource;
  /** On the grid of the source: slice k lies on `source.instances[k]`. */
  readonly labelmap: Labelmap;
  readonly model: ModelReference;
  /** `AUTOMATIC`: untouched model output; `SEMIAUTOMATIC`: a reader edited or vouched for it. */
  readonly algorithmType: 'AUTOMATIC' | 'SEMIAUTOMATIC';
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly seriesNumber: number;
  readonly createdAt: Date;
  /** Of the first segment; stays over all corrections of one case. The others' derive from it. */
  readonly trackingUid: string;
}

/** The series description that a SEG of this model gets. */
export function describeSeg(model: Pick<ModelReference, 'name' | 'version'>, corrected: boolean): string {
  return describeSeries(model, ...(corrected ? ['corrected'] : []));
}

/**
 * A labelmap as a BINARY DICOM Segmentation (PS3.3 A.51), Explicit VR Little Endian.
 *
 * @returns the file, and what had to be repaired in the copied source attributes.
 * @throws AppError `correction-geometry-mismatch`: labelmap and source differ in slices;
 *   `correction-segment-unknown`: a label without segment; `series-not-writable`: source attributes cannot be written.
 */
export function writeSeg(request: SegRequest): { readonly bytes: Uint8Array; readonly notes: readonly string[] } {
  const { source, labelmap } = request;
  const [columns, rows, slices] = labelmap.geometry.size;
  if (source.instances.length !== slices || labelmap.data.length !== columns * rows * slices) {
    throw new AppError('correction-geometry-mismatch', 'The mask does not cover the slices of the series.', {
      slices,
      instances: source.instances.length,
      voxels: labelmap.data.length,
    });
  }
  checkLabels(labelmap);
  const { frames, pixelData } = packBinary(labelmap.data, columns * rows, labelmap.segments.length);
  const { attributes, notes } = repairHeader(source.header);
  const dimensionUid = deriveUid('dimension', request.sopInstanceUid);
  const bytes = encodePart10(
    {
      ...attributes,
      ...identity(request),
      ...describeEquipment(request.model),
      ...image(request, columns, rows, frames.length),
      SegmentSequence: labelmap.segments.map((segment) => segmentItem(segment, request)),
      ReferencedSeriesSequence: [
        {
          SeriesInstanceUID: source.seriesInstanceUid,
          ReferencedInstanceSequence: objectsOf(source.instances).map(referTo),
        },
      ],
      DimensionOrganizationSequence: [{ DimensionOrganizationUID: dimensionUid }],
      DimensionIndexSequence: dimensionIndex(dimensionUid),
      SharedFunctionalGroupsSequence: [sharedGroups(labelmap.geometry)],
      PerFrameFunctionalGroupsSequence: frames.map((frame) => frameGroups(frame, labelmap.geometry, source)),
    },
    { vr: 'OB', bytes: pixelData },
  );
  return { bytes, notes };
}

function checkLabels({ data, segments }: Labelmap): void {
  let highest = 0;
  // A callback for each of a hundred million voxels takes half a second.
  for (let n = 0; n < data.length; n++) highest = Math.max(highest, data[n] ?? 0);
  const gap = segments.findIndex((segment, i) => segment.number !== i + 1);
  if (gap >= 0) throw new RangeError(`segment ${gap + 1} has number ${segments[gap]?.number}`);
  if (highest > segments.length) {
    throw new AppError('correction-segment-unknown', `Segment ${highest} is not one of the ${segments.length} known.`, {
      segment: highest,
    });
  }
}

function identity(request: SegRequest): Record<string, unknown> {
  const { date, time } = dicomDateTime(request.createdAt);
  const corrected = request.algorithmType === 'SEMIAUTOMATIC';
  return {
    SOPClassUID: segmentationStorage,
    SOPInstanceUID: request.sopInstanceUid,
    StudyInstanceUID: request.source.studyInstanceUid,
    SeriesInstanceUID: request.seriesInstanceUid,
    FrameOfReferenceUID: request.source.frameOfReferenceUid,
    PositionReferenceIndicator: '',
    Modality: 'SEG',
    SeriesNumber: request.seriesNumber,
    SeriesDate: date,
    SeriesTime: time,
    SeriesDescription: describeSeg(request.model, corrected),
    InstanceNumber: 1,
    ContentDate: date,
    ContentTime: time,
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    ContentLabel: 'SEGMENTATION',
    ContentDescription: describeContent(corrected, request.labelmap.geometry),
    ContentCreatorName: [{ Alphabetic: corrected ? readerName : 'UnCoL^Student' }],
  };
}

/** At most 64 characters (LO). */
function describeContent(corrected: boolean, { sliceSteps }: Geometry): string {
  const made = `${corrected ? 'Corrected by a reader: ' : ''}AI-generated, research use`;
  return sliceSteps ? `${made}; uneven slices` : made;
}

function image(request: SegRequest, columns: number, rows: number, frames: number): Record<string, unknown> {
  const { header, lossy } = request.source;
  return {
    ImageType: ['DERIVED', 'PRIMARY'],
    Rows: rows,
    Columns: columns,
    NumberOfFrames: frames,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelRepresentation: 0,
    LossyImageCompression: lossy ? '01' : '00',
    LossyImageCompressionRatio: lossy ? header['LossyImageCompressionRatio'] : undefined,
    LossyImageCompressionMethod: lossy ? header['LossyImageCompressionMethod'] : undefined,
    BurnedInAnnotation: 'NO',
    SegmentationType: 'BINARY',
    SegmentsOverlap: 'NO',
  };
}

function segmentItem(segment: Segment, request: SegRequest): Record<string, unknown> {
  const { model, trackingUid, algorithmType } = request;
  const algorithm = describeAlgorithm(model);
  const tracking = trackSegment(segment, trackingUid);
  return {
    SegmentNumber: segment.number,
    SegmentLabel: segment.label.slice(0, 64),
    SegmentAlgorithmType: algorithmType,
    SegmentAlgorithmName: algorithm.name,
    SegmentationAlgorithmIdentificationSequence: [
      {
        AlgorithmFamilyCodeSequence: [codeItem(codes.artificialIntelligence)],
        AlgorithmName: algorithm.name,
        AlgorithmVersion: algorithm.version,
        AlgorithmParameters: algorithm.parameters,
      },
    ],
    SegmentedPropertyCategoryCodeSequence: [codeItem(segment.category)],
    SegmentedPropertyTypeCodeSequence: [
      {
        ...codeItem(segment.type),
        ...(segment.laterality
          ? { SegmentedPropertyTypeModifierCodeSequence: [codeItem(lateralities[segment.laterality])] }
          : {}),
      },
    ],
    ...(segment.anatomicRegion ? { AnatomicRegionSequence: [codeItem(segment.anatomicRegion)] } : {}),
    TrackingID: tracking.id,
    TrackingUID: tracking.uid,
    RecommendedDisplayCIELabValue: [...cieLab([segment.colour[0], segment.colour[1], segment.colour[2]])],
  };
}

/** Frames are found by segment number, then by position in the patient (PS3.3 C.7.6.17). Pointers are attribute tags. */
function dimensionIndex(organizationUid: string): readonly Record<string, unknown>[] {
  const row = (pointer: string, group: string, label: string) => ({
    DimensionOrganizationUID: organizationUid,
    DimensionIndexPointer: pointer,
    FunctionalGroupPointer: group,
    DimensionDescriptionLabel: label,
  });
  return [row('0062000B', '0062000A', 'Segment Number'), row('00200032', '00209113', 'Image Position Patient')];
}

function sharedGroups(geometry: Geometry): Record<string, unknown> {
  const [column, row] = geometry.spacingMm;
  const slice = sliceStepMm(geometry);
  const [alongRow, alongColumn] = geometry.direction;
  return {
    PlaneOrientationSequence: [{ ImageOrientationPatient: [...alongRow, ...alongColumn].map(decimalString) }],
    PixelMeasuresSequence: [
      {
        PixelSpacing: [decimalString(row), decimalString(column)],
        SliceThickness: decimalString(slice),
        // Of slices at different gaps there is no such distance (PS3.3 C.7.6.16.2.1).
        ...(geometry.sliceSteps ? {} : { SpacingBetweenSlices: decimalString(slice) }),
      },
    ],
  };
}

function frameGroups(frame: SegFrame, geometry: Geometry, source: SegSource): Record<string, unknown> {
  const instance = source.instances[frame.slice];
  if (!instance) throw new RangeError(`no source instance for slice ${frame.slice}`);
  return {
    DerivationImageSequence: [
      {
        DerivationCodeSequence: [codeItem(codes.segmentation)],
        SourceImageSequence: [
          {
            ...referToFrame(instance),
            PurposeOfReferenceCodeSequence: [codeItem(codes.sourceImage)],
            SpatialLocationsPreserved: 'YES',
          },
        ],
      },
    ],
    FrameContentSequence: [{ DimensionIndexValues: [frame.segmentNumber, frame.slice + 1] }],
    PlanePositionSequence: [{ ImagePositionPatient: slicePosition(geometry, frame.slice).map(decimalString) }],
    SegmentIdentificationSequence: [{ ReferencedSegmentNumber: frame.segmentNumber }],
  };
}

/** Image Position (Patient) of slice k: centre of its first voxel, LPS mm. */
function slicePosition(geometry: Geometry, k: number): Vec3 {
  return indexToPatient(geometry, [0, 0, k]);
}
