import { AppError } from '../errors/app-error.ts';
import { Attributes } from '../study/attributes.ts';
import { compressedBytes } from '../study/fragments.ts';
import { type DataSet, unreadable, valueBytes } from '../study/part10.ts';
import { decodeRle } from '../study/rle.mjs';
import type { SegType } from './encoding.ts';
import { packBinary } from './pack.ts';

/** Which of its frames a plane of bits was taken from, and what it shows; undefined where the frame itself says it. */
export interface ReadPlane {
  readonly frame: number;
  readonly segmentNumber: number | undefined;
}

/** What each frame of a SEG shows, as yes or no. */
export interface ReadPixels {
  readonly planes: readonly ReadPlane[];
  /** One bit a pixel, `[plane, row, column]`, least significant first, running on over the borders of planes (PS3.5 8.1.1). */
  readonly bits: Uint8Array;
}

interface Extent {
  readonly frames: number;
  /** Rows times columns. */
  readonly pixels: number;
}

const runLengths = '1.2.840.10008.1.2.5';
/** Implicit and explicit little endian, plain and deflated. */
const nativeSyntaxes: ReadonlySet<string> = new Set([
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.1.99',
]);
/** Run lengths hold at most 128 bytes in two. */
const mostExpansion = 64;

/**
 * The pixels of a SEG of any kind (PS3.3 C.8.20.2.3), native or in run lengths. A share counts as yes from half of
 * MaximumFractionalValue on. A LABELMAP gives a plane for each segment that a frame shows, and an empty one of the first
 * segment for a frame that shows none, so that it is known to be empty.
 *
 * @param segments numbers described, the background of a LABELMAP left out.
 * @throws AppError `seg-unsupported`: compressed in another way; `instance-unreadable`; `image-too-large`.
 */
export function readPixels(dataSet: DataSet, type: SegType, extent: Extent, segments: readonly number[]): ReadPixels {
  const read = new Attributes(dataSet, 'The SEG');
  const bitsAllocated = read.unsigned('x00280100', 'BitsAllocated', 1);
  const syntax = read.uid('x00020010', 'TransferSyntaxUID');
  const isPacked = syntax === runLengths;
  if (!nativeSyntaxes.has(syntax) && !isPacked) {
    throw new AppError(
      'seg-unsupported',
      `The SEG has pixels in transfer syntax ${syntax.slice(0, 64)}, not plain ones.`,
    );
  }
  const own = Array.from({ length: extent.frames }, (_, frame) => ({ frame, segmentNumber: undefined }));
  if (type === 'BINARY') {
    if (bitsAllocated !== 1) throw unreadable(read.name, `is BINARY with BitsAllocated ${bitsAllocated}`);
    const bits = isPacked
      ? unpackBits(dataSet, extent)
      : nativeBytes(dataSet, Math.ceil((extent.frames * extent.pixels) / 8));
    return { planes: own, bits };
  }
  const depths = type === 'FRACTIONAL' ? [8] : [8, 16];
  if (!depths.includes(bitsAllocated)) throw unreadable(read.name, `is ${type} with BitsAllocated ${bitsAllocated}`);
  const wide = bitsAllocated === 16;
  const bytes = isPacked
    ? unpackFrames(dataSet, extent, wide ? 16 : 8)
    : nativeBytes(dataSet, extent.frames * extent.pixels * (wide ? 2 : 1));
  if (type === 'FRACTIONAL') {
    const most = read.unsigned('x0062000e', 'MaximumFractionalValue', 1);
    return { planes: own, bits: bitsWhere(bytes.length, (n) => 2 * (bytes[n] ?? 0) >= most) };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return planesOfLabels(
    (n) => (wide ? view.getUint16(2 * n, true) : (bytes[n] ?? 0)),
    extent,
    segments,
    backgroundOf(read),
  );
}

/** Of a LABELMAP: PixelPaddingValue (PS3.3 C.8.20.2.3), 0 where it is not told. */
export function backgroundOf(read: Attributes): number {
  return read.has('x00280120') ? read.unsigned('x00280120', 'PixelPaddingValue', 0) : 0;
}

function nativeBytes(dataSet: DataSet, needed: number): Uint8Array {
  const element = dataSet.elements['x7fe00010'];
  if (!element) throw unreadable('The SEG', 'has no PixelData');
  const bytes = valueBytes(dataSet, element);
  // More than the padding byte would mean that the pixels are laid out in another way.
  if (bytes.length < needed || bytes.length > needed + 1) {
    throw unreadable('The SEG', `has ${bytes.length} bytes of PixelData where ${needed} are due`);
  }
  return bytes.subarray(0, needed);
}

/**
 * Single bits in run lengths, which PS3.5 annex G does not know and the viewer's own export can write: each frame is packed as
 * a byte a pixel, or as eight pixels a byte.
 */
function unpackBits(dataSet: DataSet, extent: Extent): Uint8Array {
  const { frames, pixels } = extent;
  const packedBytes = Math.ceil(pixels / 8);
  const unpack = frameUnpacker(dataSet, extent, packedBytes);
  const bits = new Uint8Array(Math.ceil((frames * pixels) / 8));
  for (let frame = 0; frame < frames; frame++) {
    const packed = unpack.packed(frame);
    const bytes = pixels <= mostExpansion * packed.length ? tryUnpack(packed, pixels) : undefined;
    if (bytes) {
      for (let n = 0, at = frame * pixels; n < pixels; n++, at++)
        if (bytes[n]) bits[at >>> 3] = (bits[at >>> 3] ?? 0) | (1 << (at & 7));
      continue;
    }
    if (pixels % 8 > 0) {
      const message = `The SEG has single bits in run lengths; its frames of ${pixels} pixels do not fill whole bytes.`;
      throw new AppError('seg-unsupported', message, { pixels });
    }
    // More than these and a padding byte would be a byte a pixel that was cut off.
    if (tryUnpack(packed, packedBytes + 2)) throw unreadable(`Frame ${frame + 1} of the SEG`, 'does not decode');
    unpack.into(frame, bits.subarray(frame * packedBytes, (frame + 1) * packedBytes), 8);
  }
  return bits;
}

function tryUnpack(packed: Uint8Array, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  try {
    decodeRle(packed, bytes, { bitsAllocated: 8 });
    return bytes;
  } catch {
    return undefined;
  }
}

/** Frames in run lengths (PS3.5 annex G), little-endian one after the other. */
function unpackFrames(dataSet: DataSet, extent: Extent, bitsAllocated: 8 | 16): Uint8Array {
  const { frames, pixels } = extent;
  const frameBytes = (pixels * bitsAllocated) / 8;
  const unpack = frameUnpacker(dataSet, extent, frameBytes);
  const out = new Uint8Array(frames * frameBytes);
  for (let frame = 0; frame < frames; frame++)
    unpack.into(frame, out.subarray(frame * frameBytes, (frame + 1) * frameBytes), bitsAllocated);
  return out;
}

/** @param frameBytes of an unpacked frame at least. */
function frameUnpacker(dataSet: DataSet, { frames }: Extent, frameBytes: number) {
  const element = dataSet.elements['x7fe00010'];
  if (!element) throw unreadable('The SEG', 'has no PixelData');
  if (frames * frameBytes > mostExpansion * dataSet.byteArray.length) {
    throw unreadable('The SEG', 'is too short for its pixels, however well they are packed');
  }
  const packed = (frame: number) =>
    compressedBytes({ dataSet, name: 'The SEG', frames, frameNumber: frame + 1 }, element);
  return {
    packed,
    into(frame: number, out: Uint8Array, bitsAllocated: 8 | 16): void {
      try {
        decodeRle(packed(frame), out, { bitsAllocated });
      } catch (cause) {
        throw unreadable(`Frame ${frame + 1} of the SEG`, 'does not decode', {}, cause);
      }
    },
  };
}

/** Each pixel is looked at once to see what is there, and once to pack it: a frame may show a hundred segments. */
function planesOfLabels(
  labelAt: (n: number) => number,
  { frames, pixels }: Extent,
  segments: readonly number[],
  background: number,
): ReadPixels {
  // Counted from 1, since 0 may be a segment where the background is another number.
  const orders = new Map([[background, 0], ...segments.map((number, at) => [number, at + 1] as const)]);
  const labels = new Uint16Array(frames * pixels);
  const shown = new Set<number>();
  const empty: ReadPlane[] = [];
  for (let frame = 0; frame < frames; frame++) {
    let isEmpty = true;
    for (let n = frame * pixels; n < (frame + 1) * pixels; n++) {
      const number = labelAt(n);
      const order = orders.get(number);
      if (order === undefined)
        throw unreadable(`Frame ${frame + 1} of the SEG`, `shows segment ${number}, which is not described`);
      if (order === 0) continue;
      isEmpty = false;
      labels[n] = order;
      shown.add(order);
    }
    if (isEmpty) empty.push({ frame, segmentNumber: segments[0] });
  }
  const packed = packBinary(
    labels,
    pixels,
    [...shown].sort((x, y) => x - y),
  );
  const planes = packed.frames.map(({ slice, segmentNumber }) => ({
    frame: slice,
    segmentNumber: segments[segmentNumber - 1],
  }));
  const bits = new Uint8Array(Math.ceil(((planes.length + empty.length) * pixels) / 8));
  bits.set(packed.bytes.subarray(0, bits.length));
  return { planes: [...planes, ...empty], bits };
}

function bitsWhere(count: number, isSet: (n: number) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (let n = 0; n < count; n++) if (isSet(n)) bits[n >>> 3] = (bits[n >>> 3] ?? 0) | (1 << (n & 7));
  return bits;
}
