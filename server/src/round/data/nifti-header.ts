import { AppError } from '../../errors/app-error.ts';
import { createGeometry, type Geometry, type Vec3 } from '../../volume/geometry.ts';

/** Longest header with its extensions that is accepted, bytes. */
const longestHead = 16 * 2 ** 20;

/** Bytes of the longest fixed header: NIfTI-2 and its extension flag. */
export const headBytes = 544;

/** How the voxels of a NIfTI file are stored. */
export interface VoxelLayout {
  readonly type: 'uint8' | 'int16' | 'uint16' | 'int32' | 'float32' | 'float64';
  readonly bytesPerVoxel: number;
  readonly littleEndian: boolean;
  /** First byte of the voxels. */
  readonly offset: number;
  /** Value = `slope * stored + intercept`. */
  readonly slope: number;
  readonly intercept: number;
}

/** What a NIfTI header says, checked. */
export interface NiftiHeader {
  readonly size: Vec3;
  readonly layout: VoxelLayout;
  /** @throws AppError `nifti-invalid`: the header gives no place in the patient, or a sheared one. */
  readonly geometry: () => Geometry;
}

/** Where the fields of NIfTI-1 and NIfTI-2 lie, and how they are stored. */
interface Fields {
  readonly dimensions: readonly number[];
  readonly type: number;
  readonly pixdim: readonly number[];
  readonly voxOffset: number;
  readonly slope: number;
  readonly intercept: number;
  readonly units: number;
  readonly qformCode: number;
  readonly sformCode: number;
  /** Quaternion b, c, d and offset x, y, z. */
  readonly qform: readonly number[];
  /** Three rows of four. */
  readonly sform: readonly number[];
}

const voxelTypes: Readonly<Record<number, readonly [VoxelLayout['type'], number]>> = {
  2: ['uint8', 1],
  4: ['int16', 2],
  8: ['int32', 4],
  16: ['float32', 4],
  64: ['float64', 8],
  512: ['uint16', 2],
};

/** Millimetres per unit of space: metre, millimetre, micrometre; files that say nothing mean millimetres. */
const millimetres: Readonly<Record<number, number>> = { 1: 1000, 2: 1, 3: 0.001 };

/**
 * The header of a single-file NIfTI-1 or NIfTI-2 image of one volume, of either byte order.
 *
 * @param head the first {@link headBytes} bytes of the file, or all when it is shorter.
 * @throws AppError `nifti-invalid`
 */
export function parseNiftiHeader(head: Uint8Array): NiftiHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const little = isLittleEndian(view);
  const fields = little === undefined ? undefined : readFields(view, head, little);
  if (little === undefined || !fields) throw invalid('is no NIfTI image (its header is not of NIfTI-1 or NIfTI-2)');
  const size = sizeOf(fields.dimensions);
  const [type, bytesPerVoxel] = voxelTypes[fields.type] ?? [];
  if (!type || !bytesPerVoxel) {
    throw invalid(`has data type ${fields.type}; uint8, int16, uint16, int32, float32 and float64 are read`);
  }
  const offset = fields.voxOffset;
  if (!(Number.isInteger(offset) && offset >= 352 && offset <= longestHead)) {
    throw invalid(`says that its voxels begin at byte ${offset}`);
  }
  // A slope of 0, or of no number as some writers leave it, means that stored values are values.
  const isScaled = Number.isFinite(fields.slope) && fields.slope !== 0;
  const slope = isScaled ? fields.slope : 1;
  const intercept = isScaled && Number.isFinite(fields.intercept) ? fields.intercept : 0;
  const layout = { type, bytesPerVoxel, littleEndian: little, offset, slope, intercept };
  return { size, layout, geometry: () => geometryOf(size, fields) };
}

/** The error of a NIfTI file: the reason, never its name or its texts. */
export function invalid(reason: string, cause?: unknown): AppError {
  return new AppError('nifti-invalid', `The file ${reason}.`, {}, { cause });
}

function isLittleEndian(view: DataView): boolean | undefined {
  if (view.byteLength < 348) return undefined;
  return [true, false].find((little) => [348, 540].includes(view.getInt32(0, little)));
}

function readFields(view: DataView, head: Uint8Array, little: boolean): Fields | undefined {
  const text = (at: number) => new TextDecoder('latin1').decode(head.subarray(at, at + 4));
  const many = (count: number, at: number, bytes: number, read: (position: number) => number) =>
    Array.from({ length: count }, (_, n) => read(at + n * bytes));
  const int16 = (at: number) => view.getInt16(at, little);
  if (view.getInt32(0, little) === 348) {
    const float = (at: number) => view.getFloat32(at, little);
    if (text(344) === 'ni1\0') throw invalid('keeps its voxels in a second file (.hdr and .img)');
    if (text(344) !== 'n+1\0') return undefined;
    return {
      dimensions: many(8, 40, 2, int16),
      type: int16(70),
      pixdim: many(8, 76, 4, float),
      voxOffset: float(108),
      slope: float(112),
      intercept: float(116),
      units: view.getUint8(123),
      qformCode: int16(252),
      sformCode: int16(254),
      qform: many(6, 256, 4, float),
      sform: many(12, 280, 4, float),
    };
  }
  if (view.byteLength < 540 || text(4) !== 'n+2\0') return undefined;
  const int32 = (at: number) => view.getInt32(at, little);
  const int64 = (at: number) => Number(view.getBigInt64(at, little));
  const double = (at: number) => view.getFloat64(at, little);
  return {
    dimensions: many(8, 16, 8, int64),
    type: int16(12),
    pixdim: many(8, 104, 8, double),
    voxOffset: int64(168),
    slope: double(176),
    intercept: double(184),
    units: int32(500),
    qformCode: int32(344),
    sformCode: int32(348),
    qform: many(6, 352, 8, double),
    sform: many(12, 400, 8, double),
  };
}

function sizeOf([count = 0, ...sizes]: readonly number[]): Vec3 {
  const [columns = 0, rows = 0, slices = 0, ...further] = sizes.slice(0, Math.max(0, count));
  if (!(count >= 3 && count <= 7) || further.some((size) => size !== 1)) {
    const seen = sizes.slice(0, Math.min(7, Math.max(0, count))).join(' x ');
    throw invalid(`has ${count} dimensions (${seen}); one volume of three is read`);
  }
  if (![columns, rows, slices].every((size) => Number.isInteger(size) && size >= 1)) {
    throw invalid(`says that it has ${columns} x ${rows} x ${slices} voxels`);
  }
  return [columns, rows, slices];
}

/** The sform when it has a code, else the qform; RAS becomes LPS. */
function geometryOf(size: Vec3, fields: Fields): Geometry {
  const matrix = fields.sformCode > 0 ? fields.sform : fields.qformCode > 0 ? quaternionRows(fields) : undefined;
  if (!matrix) throw invalid('says nowhere where its voxels lie (neither sform nor qform)');
  const unit = millimetres[fields.units & 7] ?? 1;
  const column = (index: number): Vec3 => [
    -unit * (matrix[index] ?? Number.NaN) || 0,
    -unit * (matrix[4 + index] ?? Number.NaN) || 0,
    unit * (matrix[8 + index] ?? Number.NaN),
  ];
  const [u, v, w] = [column(0), column(1), column(2)];
  const spacingMm: Vec3 = [Math.hypot(...u), Math.hypot(...v), Math.hypot(...w)];
  const along = (axis: Vec3, length: number): Vec3 => [axis[0] / length, axis[1] / length, axis[2] / length];
  try {
    return createGeometry({
      size,
      spacingMm,
      origin: column(3),
      direction: [along(u, spacingMm[0]), along(v, spacingMm[1]), along(w, spacingMm[2])],
    });
  } catch (cause) {
    throw invalid('places its voxels on axes that are sheared, of no length or no numbers', cause);
  }
}

/** Rotation by the quaternion times the voxel sizes; a negative first pixdim turns the third axis around. */
function quaternionRows({ qform, pixdim }: Fields): readonly number[] {
  const [b = 0, c = 0, d = 0, x = 0, y = 0, z = 0] = qform;
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const [sign = 1, i = 0, j = 0, third = 0] = pixdim;
  const k = sign < 0 ? -third : third;
  return [
    ...[(a * a + b * b - c * c - d * d) * i, 2 * (b * c - a * d) * j, 2 * (b * d + a * c) * k, x],
    ...[2 * (b * c + a * d) * i, (a * a + c * c - b * b - d * d) * j, 2 * (c * d - a * b) * k, y],
    ...[2 * (b * d - a * c) * i, 2 * (c * d + a * b) * j, (a * a + d * d - b * b - c * c) * k, z],
  ];
}
