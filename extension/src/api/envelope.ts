import type { LabelmapHead } from './contract.ts';

/** A labelmap as it travels: the head, and one byte a voxel `[slice, row, column]` in the order of `head.slices`. */
export interface Envelope<Head extends LabelmapHead> {
  readonly head: Head;
  readonly voxels: Uint8Array;
}

const LENGTH_BYTES = 4;

/**
 * Head and voxels as one byte string: uint32 little-endian length of the JSON head, the head in UTF-8, the voxels.
 *
 * @throws RangeError when `voxels` is not `rows * columns * slices` long.
 */
export function encodeEnvelope<Head extends LabelmapHead>({ head, voxels }: Envelope<Head>): Uint8Array {
  checkLength(head, voxels.length);
  const json = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(LENGTH_BYTES + json.length + voxels.length);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, LENGTH_BYTES);
  bytes.set(voxels, LENGTH_BYTES + json.length);
  return bytes;
}

/**
 * The inverse of {@link encodeEnvelope}; `voxels` is a view on `bytes`.
 *
 * @throws RangeError when the bytes end early, the head is not one, or sizes do not fit.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope<LabelmapHead> {
  if (bytes.length < LENGTH_BYTES) throw new RangeError(`labelmap of ${bytes.length} bytes is too short for its head`);
  const headLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const end = LENGTH_BYTES + headLength;
  if (end > bytes.length) throw new RangeError(`labelmap head of ${headLength} bytes exceeds ${bytes.length} bytes`);
  const head = parseHead(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, end)));
  const voxels = bytes.subarray(end);
  checkLength(head, voxels.length);
  return { head, voxels };
}

/** The voxels of one slice, `[row, column]`, as a view. */
export function sliceOf({ head, voxels }: Envelope<LabelmapHead>, index: number): Uint8Array {
  const size = head.rows * head.columns;
  return voxels.subarray(index * size, (index + 1) * size);
}

function parseHead(json: string): LabelmapHead {
  let value: Partial<LabelmapHead>;
  try {
    value = JSON.parse(json) as Partial<LabelmapHead>;
  } catch (cause) {
    throw new RangeError('labelmap head is not JSON', { cause });
  }
  const { columns, rows, slices } = value;
  if (!Number.isInteger(columns) || !Number.isInteger(rows) || !Array.isArray(slices) || slices.length === 0) {
    throw new RangeError('labelmap head lacks columns, rows or slices');
  }
  return { columns: Number(columns), rows: Number(rows), slices };
}

function checkLength(head: LabelmapHead, length: number): void {
  const expected = head.rows * head.columns * head.slices.length;
  if (length !== expected) {
    throw new RangeError(
      `labelmap holds ${length} voxels; ${head.slices.length} slices of ${head.columns} x ${head.rows} need ${expected}`,
    );
  }
}
