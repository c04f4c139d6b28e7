import { AppError } from '../errors/app-error.ts';
import type { Labelmap, Segment } from '../labelmap/labelmap.ts';
import { objectsOf, type SourceSeries } from '../study/source-series.ts';
import type { Geometry } from '../volume/geometry.ts';
import type { DataSet } from './encode.ts';
import { isEncodable, type PixelEncoding, plainBinary, type SegEncoding, type SegType, storageOf } from './encoding.ts';
import { dimensionIndex, frameGroups, sharedGroups } from './functional-groups.ts';
import { repairCompression, repairHeader } from './header.ts';
import { maximumFractionalValue, packBinary, packFractional, packLabelmap, type SegFrame } from './pack.ts';
import { encodePart10, evenly, type PixelData } from './part10.ts';
import {
  describeEquipment,
  describeSeries,
  dicomDateTime,
  type ModelReference,
  readerName,
  referTo,
} from './provenance.ts';
import { encodeRle } from './rle.ts';
import { backgroundItem, type Maker, segmentItem } from './segment-items.ts';
import { deriveUid } from './uid.ts';

/** What a SEG needs to know of the series it lies on. */
export type SegSource = Pick<
  SourceSeries,
  'studyInstanceUid' | 'seriesInstanceUid' | 'frameOfReferenceUid' | 'instances' | 'header' | 'lossy'
>;

/** What every SEG is made with; nothing is drawn or looked up while writing, so the same request gives the same bytes. */
interface Making extends Maker {
  readonly source: SegSource;
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly seriesNumber: number;
  readonly createdAt: Date;
}

/** Everything that makes one SEG of labels. */
export interface SegRequest extends Making {
  /** On the grid of the source: slice k lies on `source.instances[k]`. */
  readonly labelmap: Labelmap;
  /** {@link plainBinary} when absent. */
  readonly encoding?: SegEncoding<'BINARY' | 'LABELMAP'>;
}

/** Everything that makes one SEG of the probabilities that a network gave: no reader has a part in them. */
export interface FractionalRequest extends Making {
  readonly algorithmType: 'AUTOMATIC';
  /** Grid of the source. */
  readonly geometry: Geometry;
  readonly segments: readonly Segment[];
  /** Of slice k, `[segment][pixel]`, 0..1, segments in the order of `segments`. */
  readonly probabilitiesOf: (slice: number) => readonly ArrayLike<number>[];
  readonly pixels: PixelEncoding;
}

/** A SEG as a file, and what had to be repaired in the copied source attributes. */
export interface WrittenSeg {
  readonly bytes: Uint8Array;
  readonly notes: readonly string[];
}

/** What the frames of a SEG show. */
interface Picture extends SegEncoding {
  readonly geometry: Geometry;
  readonly segments: readonly Segment[];
  readonly frames: readonly SegFrame[];
  readonly bytes: Uint8Array;
  readonly overlap: boolean;
}

/** The series description that a SEG of this model gets. */
export function describeSeg(model: Pick<ModelReference, 'name' | 'version'>, corrected: boolean): string {
  return describeSeries(model, ...(corrected ? ['corrected'] : []));
}

/** SOP Instance Reference (PS3.3 10.8) to the SEG that is, or is to be, written. */
export function referToSeg({ encoding = plainBinary, sopInstanceUid }: SegRequest) {
  return referTo({ sopClassUid: storageOf(encoding.type), sopInstanceUid });
}

/**
 * A labelmap as a BINARY DICOM Segmentation (PS3.3 A.51), or as a LABELMAP one with a frame for each slice, explicit
 * little endian. Segments without a voxel are kept.
 *
 * @throws AppError `correction-geometry-mismatch`: labelmap and source differ in slices;
 *   `correction-segment-unknown`: a label without segment; `series-not-writable`: source attributes cannot be written;
 *   `image-too-large`.
 */
export function writeSeg(request: SegRequest): WrittenSeg {
  const { source, labelmap, encoding = plainBinary } = request;
  const { geometry, segments, data } = labelmap;
  const [columns, rows, slices] = geometry.size;
  if (source.instances.length !== slices || data.length !== columns * rows * slices) {
    throw new AppError('correction-geometry-mismatch', 'The mask does not cover the slices of the series.', {
      slices,
      instances: source.instances.length,
      voxels: data.length,
    });
  }
  const numbers = numbersOf(segments);
  const packed =
    encoding.type === 'BINARY'
      ? packBinary(data, columns * rows, numbers)
      : packLabelmap(data, columns * rows, numbers);
  return build(request, { ...encoding, geometry, segments, ...packed, overlap: false });
}

/**
 * Probabilities as a FRACTIONAL DICOM Segmentation (PS3.3 A.51, C.8.20.2.3), to 1/255.
 *
 * @throws AppError `series-not-writable`: source attributes cannot be written; `image-too-large`.
 */
export function writeFractionalSeg(request: FractionalRequest): WrittenSeg {
  const { geometry, segments, pixels } = request;
  const [columns, rows, slices] = geometry.size;
  const packed = packFractional(request.probabilitiesOf, slices, columns * rows, numbersOf(segments));
  return build(request, { type: 'FRACTIONAL', pixels, geometry, segments, ...packed });
}

function build(making: Making, picture: Picture): WrittenSeg {
  const { type, pixels, geometry, segments, frames } = picture;
  if (!isEncodable(type, pixels)) throw new RangeError(`${type} pixels are not written as ${pixels}`);
  const { source } = making;
  const { attributes, notes } = repairHeader(source.header);
  const compression = source.lossy ? repairCompression(source.header) : { attributes: {}, notes: [] };
  const dimensionUid = deriveUid('dimension', making.sopInstanceUid);
  const dataSet = {
    ...attributes,
    ...compression.attributes,
    ...identity(making, picture),
    ...describeEquipment(making.model),
    ...image(source.lossy, picture),
    SegmentSequence: [
      ...(type === 'LABELMAP' ? [backgroundItem(making)] : []),
      ...segments.map((segment) => segmentItem(segment, making)),
    ],
    ReferencedSeriesSequence: [
      {
        SeriesInstanceUID: source.seriesInstanceUid,
        ReferencedInstanceSequence: objectsOf(source.instances).map(referTo),
      },
    ],
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: dimensionUid }],
    DimensionIndexSequence: dimensionIndex(dimensionUid, type),
    SharedFunctionalGroupsSequence: [sharedGroups(geometry)],
    PerFrameFunctionalGroupsSequence: frames.map((frame) => frameGroups(frame, geometry, source)),
  };
  return { bytes: encodePart10(dataSet, pixelDataOf(picture), pixels), notes: [...notes, ...compression.notes] };
}

function pixelDataOf({ pixels, bytes, frames, geometry }: Picture): PixelData {
  if (pixels !== 'rle') return { vr: 'OB', bytes: evenly(bytes) };
  const [columns, rows] = geometry.size;
  const size = columns * rows;
  return { fragments: frames.map((_, n) => encodeRle(bytes.subarray(n * size, (n + 1) * size), columns)) };
}

/** From 1 without gaps, and as many as a byte tells apart. */
function numbersOf(segments: readonly Segment[]): readonly number[] {
  const gap = segments.findIndex((segment, i) => segment.number !== i + 1);
  if (gap >= 0) throw new RangeError(`segment ${gap + 1} has number ${segments[gap]?.number}`);
  if (segments.length < 1 || segments.length > 255) throw new RangeError(`${segments.length} segments`);
  return segments.map(({ number }) => number);
}

function identity(making: Making, { type, geometry }: Picture): DataSet {
  const { date, time } = dicomDateTime(making.createdAt);
  const { model, source } = making;
  const corrected = making.algorithmType === 'SEMIAUTOMATIC';
  return {
    SOPClassUID: storageOf(type),
    SOPInstanceUID: making.sopInstanceUid,
    StudyInstanceUID: source.studyInstanceUid,
    SeriesInstanceUID: making.seriesInstanceUid,
    FrameOfReferenceUID: source.frameOfReferenceUid,
    PositionReferenceIndicator: '',
    Modality: 'SEG',
    SeriesNumber: making.seriesNumber,
    SeriesDate: date,
    SeriesTime: time,
    SeriesDescription: type === 'FRACTIONAL' ? describeSeries(model, 'probabilities') : describeSeg(model, corrected),
    InstanceNumber: 1,
    ContentDate: date,
    ContentTime: time,
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    ContentLabel: 'SEGMENTATION',
    ContentDescription: describeContent(type, corrected, geometry),
    ContentCreatorName: [{ Alphabetic: corrected ? readerName : 'UnCoL^Student' }],
  };
}

/** At most 64 characters (LO). */
function describeContent(type: SegType, corrected: boolean, { sliceSteps }: Geometry): string {
  const what = type === 'FRACTIONAL' ? 'Probabilities: ' : corrected ? 'Corrected by a reader: ' : '';
  return `${what}AI-generated, research use${sliceSteps ? '; uneven slices' : ''}`;
}

/** Segmentation Image (PS3.3 C.8.20.2) and Multi-frame. */
function image(lossy: boolean, { type, geometry, frames, overlap }: Picture): DataSet {
  const bits = type === 'BINARY' ? 1 : 8;
  return {
    ImageType: ['DERIVED', 'PRIMARY'],
    Rows: geometry.size[1],
    Columns: geometry.size[0],
    NumberOfFrames: frames.length,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    BitsAllocated: bits,
    BitsStored: bits,
    HighBit: bits - 1,
    PixelRepresentation: 0,
    LossyImageCompression: lossy ? '01' : '00',
    BurnedInAnnotation: 'NO',
    SegmentationType: type,
    SegmentsOverlap: overlap ? 'YES' : 'NO',
    ...(type === 'FRACTIONAL'
      ? { SegmentationFractionalType: 'PROBABILITY', MaximumFractionalValue: maximumFractionalValue }
      : {}),
    // Tells readers which value is no segment.
    ...(type === 'LABELMAP' ? { PixelPaddingValue: 0 } : {}),
  };
}
