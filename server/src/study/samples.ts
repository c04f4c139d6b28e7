import type { FrameFormat } from './image-object.ts';

/** How samples lie in their bytes. */
export interface SampleLayout {
  readonly bitsAllocated: 8 | 16;
  readonly signed: boolean;
  /** Bytes of each 16-bit word stand in big-endian order. */
  readonly swapped: boolean;
  readonly count: number;
}

/** Samples as 16-bit numbers, all allocated bits kept. The input may lie at an odd address. */
export function widenSamples(bytes: Uint8Array, layout: SampleLayout): Int16Array | Uint16Array {
  const { count, signed, swapped } = layout;
  if (layout.bitsAllocated === 8) {
    const ordered = swapped ? swapPairs(bytes) : bytes;
    const narrow = ordered.subarray(0, count);
    return signed ? Int16Array.from(narrow, (v) => (v << 24) >> 24) : new Uint16Array(narrow);
  }
  const sizeBytes = 2 * count;
  const copy = swapped ? swapPairs(bytes.subarray(0, sizeBytes)) : new Uint8Array(bytes.subarray(0, sizeBytes));
  return signed
    ? new Int16Array(copy.buffer, copy.byteOffset, count)
    : new Uint16Array(copy.buffer, copy.byteOffset, count);
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
  readonly values: Int16Array | Uint16Array | undefined;
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
  samples: Int16Array | Uint16Array,
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
function clamp(samples: Int16Array | Uint16Array, { bitsStored, signed }: FrameFormat): void {
  const span = 2 ** bitsStored;
  const [low, high] = signed ? [-span / 2, span / 2 - 1] : [0, span - 1];
  if (signed && !samples.some((v) => v < 0)) return;
  for (let n = 0; n < samples.length; n++) {
    const value = samples[n]!;
    if (value < low) samples[n] = low;
    else if (value > high) samples[n] = high;
  }
}

function signExtend(samples: Int16Array | Uint16Array, { bitsStored, highBit }: FrameFormat): Int16Array {
  const left = 31 - highBit;
  const right = 32 - bitsStored;
  const values = new Int16Array(samples.buffer, samples.byteOffset, samples.length);
  if (left === 16 && right === 16) return values;
  for (let n = 0; n < values.length; n++) values[n] = (values[n]! << left) >> right;
  return values;
}

function unsigned(samples: Int16Array | Uint16Array, decoded: FrameFormat): Uint16Array | undefined {
  if (decoded.signed && samples.some((v) => v < 0)) return undefined;
  const values = new Uint16Array(samples.buffer, samples.byteOffset, samples.length);
  const shift = decoded.highBit - decoded.bitsStored + 1;
  const mask = 2 ** decoded.bitsStored - 1;
  if (mask === 0xffff) return values;
  for (let n = 0; n < values.length; n++) values[n] = (values[n]! >> shift) & mask;
  return values;
}

function fitsStoredBits([low, high]: readonly [number, number], { bitsStored, signed }: FrameFormat): boolean {
  const span = 2 ** bitsStored;
  return signed ? low >= -span / 2 && high < span / 2 : low >= 0 && high < span;
}

function markRange(values: Int16Array | Uint16Array, [low, high]: readonly [number, number]): Uint8Array | undefined {
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
