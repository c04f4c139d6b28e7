import { gunzipSync } from 'node:zlib';
import { isNIFTI, NIFTI1, readHeader, readImage } from 'nifti-reader-js';
import { AppError } from '../errors/app-error.ts';
import type { Geometry, Vec3 } from '../volume/geometry.ts';
import type { Volume, VoxelArray } from '../volume/volume.ts';

/**
 * Reads a gzip-compressed single-file NIfTI-1 image as a volume.
 *
 * `data` keeps the file's order: its fastest axis is i. The file's sform is taken (RAS) and turned into LPS, so a voxel
 * lies where the file says, whatever the order of its axes.
 *
 * @throws AppError `setup-failed` when the bytes are not such an image, of another type than uint8, int16, uint16 or
 * float32, or without an orthogonal sform.
 */
export function readNifti(compressed: Uint8Array): Volume {
  const bytes = toArrayBuffer(gunzipSync(compressed));
  if (!isNIFTI(bytes)) throw new AppError('setup-failed', 'A sample image is not NIfTI.');
  const header = readHeader(bytes);
  if (header.sform_code === 0) throw new AppError('setup-failed', 'A sample NIfTI image has no sform.');
  const size: Vec3 = [header.dims[1] ?? 0, header.dims[2] ?? 0, header.dims[3] ?? 0];
  const data = voxels(header.datatypeCode, readImage(header, bytes));
  if (data.length < size[0] * size[1] * size[2]) throw new AppError('setup-failed', 'A sample NIfTI image is cut off.');
  return { data, geometry: geometryOf(size, header.affine) };
}

function toArrayBuffer(buffer: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(buffer);
  return copy;
}

function voxels(datatype: number, image: ArrayBuffer): VoxelArray {
  switch (datatype) {
    case NIFTI1.TYPE_UINT8:
      return new Uint8Array(image);
    case NIFTI1.TYPE_INT16:
      return new Int16Array(image);
    case NIFTI1.TYPE_UINT16:
      return new Uint16Array(image);
    case NIFTI1.TYPE_FLOAT32:
      return new Float32Array(image);
    default:
      throw new AppError('setup-failed', `A sample NIfTI image has data type ${datatype}, which is not read.`);
  }
}

/** RAS rows `[x, y, z] x [i, j, k, offset]` to an LPS geometry. */
function geometryOf(size: Vec3, affine: readonly (readonly number[])[]): Geometry {
  const entry = (row: number, column: number): number =>
    (row < 2 ? -1 : 1) * (affine[row]?.[column] ?? Number.NaN) || 0;
  const column = (index: number): Vec3 => [entry(0, index), entry(1, index), entry(2, index)];
  const axes = [column(0), column(1), column(2)] as const;
  const spacingMm = axes.map((axis) => Math.hypot(...axis)) as unknown as Vec3;
  const direction = axes.map((axis, a) => axis.map((v) => v / (spacingMm[a] ?? 1))) as unknown as Geometry['direction'];
  const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const skew = Math.max(
    Math.abs(dot(direction[0], direction[1])),
    Math.abs(dot(direction[0], direction[2])),
    Math.abs(dot(direction[1], direction[2])),
  );
  if (!(skew < 1e-4)) throw new AppError('setup-failed', 'The sform of a sample NIfTI image is not orthogonal.');
  return { size, spacingMm, origin: column(3), direction };
}
