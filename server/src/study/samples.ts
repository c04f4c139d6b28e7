import { wordRange } from '../volume/word-range.ts';
import type { FrameFormat } from './image-object.ts';

/** 16-bit values as a file holds them, before rescale. */
export type StoredValues = Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** How samples lie in their bytes. */
export interface SampleLayout {
  readonly bitsAllocated: 8 | 16;
  readonly signed: boolean;
  /** Bytes of each 16-bit word stand in big-endian order. */
  readonly swapped: boolean;
  readonly count: number;
}

/**
 * Samples as 16-bit numbers, all allocated bits kept. The input may lie at an odd address.
 *
 * @param room where they are put: two bytes a sample, at an even address.
 */
export function widenSamples(bytes: Uint8Array, layout: SampleLayout, room: Uint8Array<ArrayBuffer>): StoredValues {
  const { count, signed, swapped } = layout;
  const ordered = swapped ? swapPairs(bytes) : bytes;
  const target = signed
    ? new Int16Array(room.buffer, room.byteOffset, count)
    : new Uint16Array(room.buffer, room.byteOffset, count);
  if (layout.bitsAllocated === 16) room.set(ordered.subarray(0, 2 * count));
  else if (signed) for (let n = 0; n < count; n++) target[n] = (ordered[n]! << 24) >> 24;
  else target.set(ordered.subarray(0, count));
  return target;
}

function swapPairs(bytes: Uint8Array): Uint8Array {
  const swapped = new Uint8Array(bytes.length + (bytes.length & 1));
  for (let at = 0; at < bytes.length; at += 2) {
    swapped[at + 1] = bytes[at]!;
    if (at + 1 < bytes.length) swapped[at] = bytes[at + 1]!;
  }
  return swapped;
}

/** Result of {@link maskToStoredBits}; `values` is undefined when unsigned pixels are negative in their codestream. */
export interface MaskedSamples {
  readonly values: StoredValues | undefined;
  readonly padding?: Uint8Array;
}

/**
 * Takes the BitsStored bits below HighBit of each sample (bits outside may hold overlays, PS3.5 8.1.1), extends the
 * sign, and marks padding.
 *
 * @param samples of `decoded` format; changed in place when sign and width allow it.
 * @param decoded layout of the samples: HighBit, bits, sign of the codestream.
 * @param declared layout by the attributes; decides the sign of the result.
 * @param paddingRange stored values, inclusive. A padding value that BitsStored cannot hold is looked for in all
 *   allocated bits, because some scanners write it there.
 * @param overshoots whether samples may lie beyond the ends of the range, as lossy JPEG 2000 and JPEG-LS leave them: they are
 *   brought back to the end, since taking their lower bits would make the brightest pixel the darkest.
 */
export function maskToStoredBits(
  samples: StoredValues,
  decoded: FrameFormat,
  declared: FrameFormat,
  paddingRange: readonly [number, number] | undefined,
  overshoots = false,
): MaskedSamples {
  const isWide = paddingRange !== undefined && !fitsStoredBits(paddingRange, declared);
  const paddingOfRaw = isWide ? markRange(samples, paddingRange) : undefined;
  if (overshoots) clamp(samples, decoded);
  const values = declared.signed ? signExtend(samples, decoded) : unsigned(samples, decoded);
  if (values === undefined) return { values };
  const padding = paddingRange === undefined || isWide ? paddingOfRaw : markRange(values, paddingRange);
  return padding ? { values, padding } : { values };
}

/** Words of signed samples may lack the copies of their sign; where none is negative nobody can tell, and none is clamped. */
function clamp(samples: StoredValues, { bitsStored, signed }: FrameFormat): void {
  const span = 2 ** bitsStored;
  const [low, high] = signed ? [-span / 2, span / 2 - 1] : [0, span - 1];
  if (signed && !samples.some((v) => v < 0)) return;
  for (let n = 0; n < samples.length; n++) {
    const value = samples[n]!;
    if (value < low) samples[n] = low;
    else if (value > high) samples[n] = high;
  }
}

function signExtend(samples: StoredValues, { bitsStored, highBit }: FrameFormat): Int16Array<ArrayBuffer> {
  const left = 31 - highBit;
  const right = 32 - bitsStored;
  const values = new Int16Array(samples.buffer, samples.byteOffset, samples.length);
  if (left === 16 && right === 16) return values;
  for (let n = 0; n < values.length; n++) values[n] = (values[n]! << left) >> right;
  return values;
}

function unsigned(samples: StoredValues, decoded: FrameFormat): Uint16Array<ArrayBuffer> | undefined {
  if (decoded.signed && samples.some((v) => v < 0)) return undefined;
  const values = new Uint16Array(samples.buffer, samples.byteOffset, samples.length);
  const shift = decoded.highBit - decoded.bitsStored + 1;
  const mask = 2 ** decoded.bitsStored - 1;
  if (mask === 0xffff) return values;
  for (let n = 0; n < values.length; n++) values[n] = (values[n]! >> shift) & mask;
  return values;
}

/** Least and greatest value; infinite, and in reverse, when all are marked as padding or there is none. */
export type StoredRange = readonly [least: number, most: number];

/** The range of the values that are not marked. */
export function storedRange(values: StoredValues, padding: Uint8Array | undefined): StoredRange {
  if (padding === undefined) return wordRange(values);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let n = 0; n < values.length; n++) {
    if (padding[n] === 1) continue;
    const value = values[n]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function fitsStoredBits([low, high]: readonly [number, number], { bitsStored, signed }: FrameFormat): boolean {
  const span = 2 ** bitsStored;
  return signed ? low >= -span / 2 && high < span / 2 : low >= 0 && high < span;
}

function markRange(values: StoredValues, [low, high]: readonly [number, number]): Uint8Array | undefined {
  let found = false;
  const marks = new Uint8Array(values.length);
  for (let n = 0; n < values.length; n++) {
    const value = values[n]!;
    if (value >= low && value <= high) {
      marks[n] = 1;
      found = true;
    }
  }
  return found ? marks : undefined;
}
