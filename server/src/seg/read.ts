import { Attributes } from '../study/attributes.ts';
import { type DataSet, itemsOf, parsePart10, unreadable } from '../study/part10.ts';
import type { Vec3 } from '../volume/geometry.ts';
import { labelmapStorage, type SegType, segmentationStorage } from './encoding.ts';
import { backgroundOf, readPixels } from './read-pixels.ts';
import { readSegment, type Structure } from './structures.ts';
import { refuseMovedBits } from './writer-faults.ts';

/** Where one frame of a SEG lies and what it shows. */
export interface PlacedFrame {
  readonly segmentNumber: number;
  /** LPS mm, centre of the first pixel. */
  readonly position: Vec3;
  /** Direction cosines (LPS) along a row (column index grows) and along a column (row index grows). */
  readonly rowDirection: Vec3;
  readonly columnDirection: Vec3;
  /** Millimetres between columns and between rows. */
  readonly columnSpacingMm: number;
  readonly rowSpacingMm: number;
  /** SpacingBetweenSlices and SliceThickness in mm, where they are given. */
  readonly sliceSpacingMm: number | undefined;
  readonly thicknessMm: number | undefined;
}

/**
 * A SEG as read, of any SegmentationType, as yes or no for each segment; its frames in the order of the file, those of a
 * LABELMAP once for each segment that they show.
 */
export interface SegObject {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly frameOfReferenceUid: string;
  /** Series that it names as its source. */
  readonly referencedSeries: readonly string[];
  /** SOP instances that it names as its source, by series or by frame. */
  readonly referencedInstances: ReadonlySet<string>;
  /** Content date and time as digits, so that a later one sorts behind. */
  readonly createdAt: string;
  readonly rows: number;
  readonly columns: number;
  readonly segments: readonly Structure[];
  readonly frames: readonly PlacedFrame[];
  /** One bit a pixel, least significant first, running on over frame borders (PS3.5 8.1.1). */
  readonly bits: Uint8Array;
}

/**
 * Reads a DICOM Segmentation (PS3.3 A.51) of any vendor and kind. Functional groups may be shared or per frame, frames may
 * come in any order, and what is not needed (derivation, dimensions) may be missing.
 *
 * @throws AppError `seg-unsupported`: compressed pixels but for run lengths, or pixels that their writer misplaced;
 *   `instance-unreadable`: no SEG, damaged, or a required attribute is missing or ill-formed.
 */
export function readSeg(bytes: Uint8Array): SegObject {
  return segOf(parsePart10(bytes, 'The SEG'));
}

/** The same of an object that was parsed before. */
export function segOf(dataSet: DataSet): SegObject {
  const read = new Attributes(dataSet, 'The SEG');
  const type = typeOf(read);
  const rows = read.unsigned('x00280010', 'Rows', 1);
  const columns = read.unsigned('x00280011', 'Columns', 1);
  if (type === 'BINARY') refuseMovedBits(read, rows, columns);
  const segments = readSegments(dataSet, type === 'LABELMAP' ? backgroundOf(read) : undefined);
  const frames = readFrames(dataSet, type, segments);
  const wanted = Number(read.text('x00280008') ?? Number.NaN);
  if (wanted !== frames.length) {
    throw unreadable(read.name, `has ${frames.length} frame groups for ${wanted} frames`);
  }
  const { series, instances } = readReferences(dataSet);
  const extent = { frames: frames.length, pixels: rows * columns };
  const numbers = segments.map(({ number }) => number);
  const { planes, bits } = readPixels(dataSet, type, extent, numbers);
  return {
    sopInstanceUid: read.uid('x00080018', 'SOPInstanceUID'),
    studyInstanceUid: read.uid('x0020000d', 'StudyInstanceUID'),
    frameOfReferenceUid: read.text('x00200052') ?? '',
    referencedSeries: series,
    referencedInstances: instances,
    createdAt: createdAt(read),
    rows,
    columns,
    segments,
    frames: planes.flatMap(({ frame, segmentNumber }) => {
      const placed = frames[frame];
      return placed ? [segmentNumber === undefined ? placed : { ...placed, segmentNumber }] : [];
    }),
    bits,
  };
}

function typeOf(read: Attributes): SegType {
  const sopClassUid = read.uid('x00080016', 'SOPClassUID');
  if (sopClassUid === labelmapStorage) return 'LABELMAP';
  if (sopClassUid !== segmentationStorage) throw unreadable('The file', 'is no DICOM SEG', { sopClassUid });
  const type = read.text('x00620001') ?? '';
  if (type !== 'BINARY' && type !== 'FRACTIONAL')
    throw unreadable(read.name, `has SegmentationType "${type.slice(0, 16)}"`);
  return type;
}

/** @param background number of what is no segment; a LABELMAP may describe it. */
function readSegments(dataSet: DataSet, background: number | undefined): readonly Structure[] {
  const least = background === undefined ? 1 : 0;
  const described = itemsOf(dataSet, 'x00620002').map((item) => readSegment(item, dataSet, least));
  const segments = described.filter(({ number }) => number !== background);
  if (segments.length === 0) throw unreadable('The SEG', 'has no SegmentSequence');
  const numbers = new Set(segments.map(({ number }) => number));
  if (numbers.size < segments.length) throw unreadable('The SEG', 'gives two segments one number');
  return segments;
}

/** Frames as they are in the file; those of a LABELMAP show all segments, and count for the first until they are looked at. */
function readFrames(dataSet: DataSet, type: SegType, segments: readonly Structure[]): readonly PlacedFrame[] {
  const [shared] = itemsOf(dataSet, 'x52009229');
  const numbers = new Set(segments.map(({ number }) => number));
  return itemsOf(dataSet, 'x52009230').map((own, n) => {
    const name = `Frame ${n + 1} of the SEG`;
    const group = (tag: string): Attributes | undefined => {
      const item = itemsOf(own, tag)[0] ?? (shared && itemsOf(shared, tag)[0]);
      return item && new Attributes(item, name);
    };
    const needed = (tag: string, keyword: string): Attributes => {
      const found = group(tag);
      if (!found) throw unreadable(name, `has no ${keyword}`);
      return found;
    };
    const orientation = needed('x00209116', 'PlaneOrientationSequence').decimals(
      'x00200037',
      'ImageOrientationPatient',
      6,
    );
    const measures = needed('x00289110', 'PixelMeasuresSequence');
    const [rowSpacingMm, columnSpacingMm] = measures.decimals('x00280030', 'PixelSpacing', 2);
    const position = needed('x00209113', 'PlanePositionSequence').decimals('x00200032', 'ImagePositionPatient', 3);
    const segmentNumber =
      type === 'LABELMAP' ? (segments[0]?.number ?? 0) : segmentOf(group('x0062000a'), segments, name);
    if (!numbers.has(segmentNumber)) throw unreadable(name, `is of segment ${segmentNumber}, which is not described`);
    if (!(Number(rowSpacingMm) > 0 && Number(columnSpacingMm) > 0)) throw unreadable(name, 'has a PixelSpacing of 0');
    return {
      segmentNumber,
      position: vec3(position, 0),
      rowDirection: vec3(orientation, 0),
      columnDirection: vec3(orientation, 3),
      columnSpacingMm: columnSpacingMm ?? Number.NaN,
      rowSpacingMm: rowSpacingMm ?? Number.NaN,
      sliceSpacingMm: positive(measures, 'x00180088', 'SpacingBetweenSlices'),
      thicknessMm: positive(measures, 'x00180050', 'SliceThickness'),
    };
  });
}

/** A SEG of one segment may leave out which one a frame shows. */
function segmentOf(group: Attributes | undefined, segments: readonly Structure[], name: string): number {
  if (group) return group.unsigned('x0062000b', 'ReferencedSegmentNumber', 1);
  const [only] = segments;
  if (only && segments.length === 1) return only.number;
  throw unreadable(name, 'does not say which segment it shows');
}

function positive(measures: Attributes, tag: string, keyword: string): number | undefined {
  if (!measures.has(tag)) return undefined;
  const [value] = measures.decimals(tag, keyword, 1);
  // Some writers give the step a sign or leave 0 for "unknown".
  return value ? Math.abs(value) : undefined;
}

/** ReferencedSeriesSequence (PS3.3 C.12.1.1.5.4), and the source images of each frame for writers without it. */
function readReferences(dataSet: DataSet): { readonly series: readonly string[]; readonly instances: Set<string> } {
  const referenced = itemsOf(dataSet, 'x00081115');
  const series = referenced.flatMap((item) => item.string('x0020000e')?.trim() ?? []);
  const frames = [...itemsOf(dataSet, 'x52009230'), ...itemsOf(dataSet, 'x52009229')];
  const sources = [
    ...referenced.flatMap((item) => itemsOf(item, 'x0008114a')),
    ...frames.flatMap((frame) => itemsOf(frame, 'x00089124')).flatMap((item) => itemsOf(item, 'x00082112')),
  ];
  return { series, instances: new Set(sources.flatMap((item) => item.string('x00081155')?.trim() ?? [])) };
}

function createdAt(read: Attributes): string {
  const digits = (tag: string, length: number) => (read.text(tag) ?? '').replace(/\D/g, '').padEnd(length, '0');
  return digits('x00080023', 8) + digits('x00080033', 6);
}

function vec3(values: readonly number[], from: number): Vec3 {
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = values.slice(from);
  return [x, y, z];
}
