import { constants, gunzipSync } from 'node:zlib';
import { AppError } from '../../errors/app-error.ts';
import { createVolume, type Volume, type VoxelArray } from '../../volume/volume.ts';
import { headBytes, invalid, parseNiftiHeader, type VoxelLayout } from './nifti-header.ts';

/** So much of a compressed file holds the fixed header for sure. */
const firstBytes = 4096;
/** Bytes that may follow the voxels. */
const trailingBytes = 4096;

/**
 * A NIfTI image of a site as a volume: `.nii` or `.nii.gz`, NIfTI-1 or NIfTI-2, one volume. `data` keeps the order of the
 * file, scaled by scl_slope and scl_inter; voxels that are no finite number become padding.
 *
 * A compressed file is not unpacked beyond what its header announces, and that is bounded by `maxVoxels`.
 *
 * @throws AppError `nifti-invalid`: no such image, cut off, of another data type, or without a place in the patient;
 *   `image-too-large`
 */
export function readNiftiFile(file: Uint8Array, maxVoxels: number): Volume {
  const isCompressed = file[0] === 0x1f && file[1] === 0x8b;
  const { size, layout, geometry } = parseNiftiHeader(isCompressed ? unpackHead(file) : file.subarray(0, headBytes));
  const voxels = size[0] * size[1] * size[2];
  if (voxels > maxVoxels) {
    throw new AppError('image-too-large', `The image has ${voxels} voxels; the limit is ${maxVoxels}.`, {
      voxels,
      maxVoxels,
    });
  }
  const end = layout.offset + voxels * layout.bytesPerVoxel;
  const bytes = isCompressed ? unpack(file, end + trailingBytes) : file;
  if (bytes.length < end) throw invalid(`is cut off: ${bytes.length} bytes, where ${end} are due`);
  const { data, padding } = decode(bytes.subarray(layout.offset, end), voxels, layout);
  return createVolume(data, geometry(), padding);
}

function unpackHead(file: Uint8Array): Uint8Array {
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH };
    return gunzipSync(file.subarray(0, firstBytes), options).subarray(0, headBytes);
  } catch (cause) {
    throw invalid('cannot be unpacked', cause);
  }
}

function unpack(file: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return gunzipSync(file, { maxOutputLength });
  } catch (cause) {
    const isLarger = (cause as { readonly code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    throw invalid(
      isLarger ? 'unpacks to more than its header says' : 'cannot be unpacked: it is cut off or damaged',
      cause,
    );
  }
}

interface Decoded {
  readonly data: VoxelArray;
  readonly padding: Uint8Array | undefined;
}

function decode(bytes: Uint8Array, count: number, layout: VoxelLayout): Decoded {
  const { type, bytesPerVoxel, littleEndian, slope, intercept } = layout;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = {
    uint8: (at: number) => view.getUint8(at),
    int16: (at: number) => view.getInt16(at, littleEndian),
    uint16: (at: number) => view.getUint16(at, littleEndian),
    int32: (at: number) => view.getInt32(at, littleEndian),
    float32: (at: number) => view.getFloat32(at, littleEndian),
    float64: (at: number) => view.getFloat64(at, littleEndian),
  }[type];
  const isScaled = slope !== 1 || intercept !== 0;
  const data = isScaled ? new Float32Array(count) : arrayOf(type, count);
  let padding: Uint8Array | undefined;
  for (let n = 0; n < count; n++) {
    const value = slope * read(n * bytesPerVoxel) + intercept;
    if (Number.isFinite(value)) data[n] = value;
    else {
      padding ??= new Uint8Array(count);
      padding[n] = 1;
    }
  }
  return { data, padding };
}

/** Types without an array of their own in a volume become float32. */
function arrayOf(type: VoxelLayout['type'], count: number): VoxelArray {
  if (type === 'uint8') return new Uint8Array(count);
  if (type === 'int16') return new Int16Array(count);
  return type === 'uint16' ? new Uint16Array(count) : new Float32Array(count);
}
