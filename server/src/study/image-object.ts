import { AppError } from '../errors/app-error.ts';
import type { Vec3 } from '../volume/geometry.ts';
import { Attributes } from './attributes.ts';
import { type FramePlace, frameCount, nameFrame, readFramePlaces } from './frame-groups.ts';
import { type DataSet, instanceName, parsePart10, unreadable } from './part10.ts';

/** Layout of one frame's samples (PS3.3 C.7.6.3). */
export interface FrameFormat {
  readonly rows: number;
  readonly columns: number;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  readonly photometricInterpretation: string;
}

/** A grey image with a place in the patient, an object or one frame of it, its required attributes checked. */
export interface ImageObject {
  /** For messages: `Instance 12`, or its place in the input when it has no number; of a frame `Instance 12 frame 3`. */
  readonly name: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** From 1; undefined for an object of one image. */
  readonly frameNumber: number | undefined;
  /** Of its object. */
  readonly frames: number;
  readonly frameOfReferenceUid: string;
  readonly modality: string;
  readonly isLocalizer: boolean;
  readonly transferSyntaxUid: string;
  readonly format: FrameFormat;
  /** LPS mm, centre of the first voxel. */
  readonly position: Vec3;
  /** Direction cosines (LPS) along a row (column index grows) and along a column (row index grows). */
  readonly rowDirection: Vec3;
  readonly columnDirection: Vec3;
  /** Millimetres between columns and between rows. */
  readonly columnSpacingMm: number;
  readonly rowSpacingMm: number;
  /** SliceThickness; undefined where it is not told, or 0. */
  readonly thicknessMm: number | undefined;
  readonly slope: number;
  readonly intercept: number;
  /** Stored values that mark "outside the scan", inclusive (PS3.3 C.7.5.1.1.2). */
  readonly paddingRange: readonly [number, number] | undefined;
  readonly lossy: boolean;
  readonly dataSet: DataSet;
  /** Functional groups of a frame, its own and the shared ones; none of an object of one image. */
  readonly groups: readonly (DataSet | undefined)[];
}

/** Storage classes whose objects are slices by definition: what is missing in one is damage, not another kind of object. */
export const sliceClasses: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10008.5.1.4.1.1.2', 'CT Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.4', 'MR Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.128', 'Positron Emission Tomography Image Storage'],
]);

/** Objects with PixelData that are results or doses, not images to segment. */
const derivedClasses: Readonly<Record<string, string>> = {
  '1.2.840.10008.5.1.4.1.1.66.4': 'segmentations',
  '1.2.840.10008.5.1.4.1.1.66.7': 'segmentations',
  '1.2.840.10008.5.1.4.1.1.30': 'parametric maps',
  '1.2.840.10008.5.1.4.1.1.481.2': 'radiotherapy doses',
};

/** Many frames, each placed by functional groups. */
export const enhancedClasses: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10008.5.1.4.1.1.2.1', 'Enhanced CT Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.2.2', 'Legacy Converted Enhanced CT Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.4.1', 'Enhanced MR Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.4.4', 'Legacy Converted Enhanced MR Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.128.1', 'Legacy Converted Enhanced PET Image Storage'],
  ['1.2.840.10008.5.1.4.1.1.130', 'Enhanced PET Image Storage'],
]);

const lossySyntaxes: ReadonlySet<string> = new Set(['1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.51']);

/**
 * The images of a DICOM file: one, or the frames of a multi-frame object in their order.
 *
 * @param ordinal place in the input, from 1; names the object while its InstanceNumber is unknown.
 * @throws AppError `series-not-image`: another kind of object, colour, or without a place in the patient.
 * @throws AppError `instance-unreadable`: damaged, or a required attribute is missing or not valid.
 */
export function readImageObjects(bytes: Uint8Array, ordinal: number): readonly ImageObject[] {
  const dataSet = parsePart10(bytes, `Object ${ordinal}`);
  const name = instanceName(dataSet, `Object ${ordinal}`);
  const read = new Attributes(dataSet, name);
  const sopClassUid = read.uid('x00080016', 'SOPClassUID');
  refuseOtherKinds(dataSet, name, sopClassUid);
  const format = readFormat(read);
  const common = {
    studyInstanceUid: read.uid('x0020000d', 'StudyInstanceUID'),
    seriesInstanceUid: read.uid('x0020000e', 'SeriesInstanceUID'),
    sopClassUid,
    sopInstanceUid: read.uid('x00080018', 'SOPInstanceUID'),
    frameOfReferenceUid: dataSet.string('x00200052') ?? '',
    modality: dataSet.string('x00080060') ?? '',
    isLocalizer: /(^|\\)LOCALIZER(\\|$)/.test(read.text('x00080008') ?? ''),
    transferSyntaxUid: read.uid('x00020010', 'TransferSyntaxUID'),
    format,
    paddingRange: readPadding(dataSet, format.signed),
    lossy: isLossy(dataSet),
    dataSet,
  };
  if (!enhancedClasses.has(sopClassUid)) {
    const own = { position: read, orientation: read, measures: read, values: read };
    return [{ ...common, name, frameNumber: undefined, frames: 1, groups: [], ...readPlace(own) }];
  }
  const places = readFramePlaces(dataSet, name);
  return places.map((place, n) => ({
    ...common,
    name: nameFrame(name, n + 1),
    frameNumber: n + 1,
    frames: places.length,
    groups: place.groups ?? [],
    ...readPlace(place),
  }));
}

function readPlace({ position, orientation, measures, values }: FramePlace) {
  const [columnSpacingMm, rowSpacingMm] = readSpacing(measures);
  const cosines = orientation.decimals('x00200037', 'ImageOrientationPatient', 6);
  return {
    position: vec3(position.decimals('x00200032', 'ImagePositionPatient', 3), 0),
    rowDirection: vec3(cosines, 0),
    columnDirection: vec3(cosines, 3),
    columnSpacingMm,
    rowSpacingMm,
    thicknessMm: readThickness(measures),
    ...(values ? readRescale(values) : { slope: 1, intercept: 0 }),
  };
}

function refuseOtherKinds(dataSet: DataSet, name: string, sopClassUid: string): void {
  const refuse = (reason: string): AppError => new AppError('series-not-image', `${name} ${reason}.`, { sopClassUid });
  const derived = derivedClasses[sopClassUid];
  if (derived !== undefined) throw refuse(`is no image: the series holds ${derived}`);
  const isEnhanced = enhancedClasses.has(sopClassUid);
  const isSlice = isEnhanced || sliceClasses.has(sopClassUid);
  if (dataSet.elements['x7fe00010'] === undefined) {
    if (isSlice) throw unreadable(name, 'has no PixelData');
    throw refuse(`holds no pixels (modality ${dataSet.string('x00080060') ?? 'unknown'})`);
  }
  const samples = dataSet.uint16('x00280002') ?? 1;
  if (samples !== 1) throw refuse(`is in colour (SamplesPerPixel ${samples})`);
  const frames = frameCount(dataSet);
  if (!isEnhanced && frames > 1) {
    throw refuse(`has ${frames} frames, and its kind of object says of none where it lies`);
  }
  if (!isSlice && dataSet.elements['x00200032'] === undefined) {
    throw refuse('has no place in the patient (ImagePositionPatient is missing)');
  }
}

function readFormat(read: Attributes): FrameFormat {
  const photometricInterpretation = read.dataSet.string('x00280004') ?? '';
  if (!/^MONOCHROME[12]$/.test(photometricInterpretation)) {
    throw unreadable(read.name, `has PhotometricInterpretation "${photometricInterpretation.slice(0, 16)}"`);
  }
  const bitsAllocated = read.unsigned('x00280100', 'BitsAllocated', 1);
  if (bitsAllocated !== 8 && bitsAllocated !== 16) {
    throw unreadable(read.name, `has BitsAllocated ${bitsAllocated}; 8 and 16 are read`);
  }
  const bitsStored = read.unsigned('x00280101', 'BitsStored', 1);
  const highBit = read.dataSet.uint16('x00280102') ?? bitsStored - 1;
  if (bitsStored > bitsAllocated || highBit >= bitsAllocated || highBit < bitsStored - 1) {
    throw unreadable(read.name, `has BitsStored ${bitsStored} and HighBit ${highBit} in ${bitsAllocated} bits`);
  }
  const representation = read.unsigned('x00280103', 'PixelRepresentation', 0);
  if (representation > 1) throw unreadable(read.name, `has PixelRepresentation ${representation}`);
  return {
    rows: read.unsigned('x00280010', 'Rows', 1),
    columns: read.unsigned('x00280011', 'Columns', 1),
    bitsAllocated,
    bitsStored,
    highBit,
    signed: representation === 1,
    photometricInterpretation,
  };
}

/** `[between columns, between rows]`; PixelSpacing itself is written rows first (PS3.3 10.7.1.3). */
function readSpacing(read: Attributes): readonly [number, number] {
  const [rowSpacing, columnSpacing] = read.decimals('x00280030', 'PixelSpacing', 2) as [number, number];
  if (!(rowSpacing > 0 && columnSpacing > 0)) {
    throw unreadable(read.name, `has PixelSpacing ${rowSpacing}\\${columnSpacing} mm`);
  }
  return [columnSpacing, rowSpacing];
}

/** What is no number above 0 says nothing, and no slice needs it. */
function readThickness(read: Attributes): number | undefined {
  const thickness = Number(read.text('x00180050') ?? Number.NaN);
  return thickness > 0 && Number.isFinite(thickness) ? thickness : undefined;
}

function readRescale(read: Attributes): { readonly slope: number; readonly intercept: number } {
  const slope = read.has('x00281053') ? read.decimals('x00281053', 'RescaleSlope', 1)[0]! : 1;
  const intercept = read.has('x00281052') ? read.decimals('x00281052', 'RescaleIntercept', 1)[0]! : 0;
  if (slope === 0) throw unreadable(read.name, 'has RescaleSlope 0');
  return { slope, intercept };
}

function readPadding(dataSet: DataSet, signed: boolean): readonly [number, number] | undefined {
  const read = (tag: string): number | undefined => (signed ? dataSet.int16(tag) : dataSet.uint16(tag));
  const value = read('x00280120');
  if (value === undefined) return undefined;
  const limit = read('x00280121') ?? value;
  return [Math.min(value, limit), Math.max(value, limit)];
}

function isLossy(dataSet: DataSet): boolean {
  return dataSet.string('x00282110') === '01' || lossySyntaxes.has(dataSet.string('x00020010') ?? '');
}

function vec3(values: readonly number[], from: number): Vec3 {
  return [values[from]!, values[from + 1]!, values[from + 2]!];
}
