import { AppError } from '../errors/app-error.ts';
import { RunReader } from '../labelmap/runs.ts';

/** One frame of a SEG: which slice of the source, and of which segment it tells; a LABELMAP's tells of all. */
export interface SegFrame {
  readonly slice: number;
  readonly segmentNumber?: number;
}

/** A frame of one segment. */
export interface SegmentFrame extends SegFrame {
  readonly segmentNumber: number;
}

/** Bits are counted in 32-bit numbers: half a gigabyte. */
const mostBits = 2 ** 32 - 16;
const mostBytes = 2 ** 31;

/**
 * Labels to BINARY pixel data (PS3.5 8.1.1, PS3.3 C.8.20.2): one bit a pixel, least significant first, bits running on
 * over frame borders, the end padded to an even byte. Frames go by segment, then slice; slices without a voxel of the
 * segment are left out, but an empty segment keeps one empty frame so that it stays in the object.
 *
 * @param labels `[slice, pixel]`, 0 = background, otherwise one of `numbers`.
 * @throws AppError `image-too-large`; `correction-segment-unknown`: a label above them all.
 */
export function packBinary(
  labels: Uint8Array | Uint16Array,
  pixelsPerSlice: number,
  numbers: readonly number[],
): { readonly frames: readonly SegmentFrame[]; readonly bytes: Uint8Array } {
  const slices = labels.length / pixelsPerSlice;
  const size = 1 + numbers.reduce((most, number) => Math.max(most, number), 0);
  const frames = listFrames(labels, pixelsPerSlice, slices, numbers, size);
  const bits = frames.length * pixelsPerSlice;
  if (bits > mostBits)
    throw new AppError('image-too-large', `A SEG of ${frames.length} frames holds more than half a gigabyte of bits.`);
  const bytes = new Uint8Array((Math.ceil(bits / 8) + 1) & ~1);
  const framesOfSlice: [segmentNumber: number, frame: number][][] = Array.from({ length: slices }, () => []);
  for (const [frame, { segmentNumber, slice }] of frames.entries()) framesOfSlice[slice]?.push([segmentNumber, frame]);
  // Each run is looked at once, however many segments there are: its label says which frame it belongs to.
  const firstBit = new Float64Array(size);
  let open = -1;
  for (const runs = new RunReader(labels, pixelsPerSlice); runs.next(); ) {
    const slice = Math.floor(runs.start / pixelsPerSlice);
    if (slice !== open) {
      for (const [segmentNumber, frame] of framesOfSlice[slice] ?? []) firstBit[segmentNumber] = frame * pixelsPerSlice;
      open = slice;
    }
    const from = firstBit[runs.label]! - slice * pixelsPerSlice;
    setBits(bytes, from + runs.start, from + runs.end);
  }
  return { frames, bytes };
}

function setBits(bytes: Uint8Array, from: number, end: number): void {
  const [first, last] = [Math.ceil(from / 8), Math.floor(end / 8)];
  if (first >= last) {
    for (let bit = from; bit < end; bit++) bytes[Math.floor(bit / 8)]! |= 1 << (bit % 8);
    return;
  }
  if (from % 8 > 0) bytes[first - 1]! |= 0xff << (from % 8);
  bytes.fill(0xff, first, last);
  if (end % 8 > 0) bytes[last]! |= (1 << (end % 8)) - 1;
}

function listFrames(
  labels: Uint8Array | Uint16Array,
  pixels: number,
  slices: number,
  numbers: readonly number[],
  size: number,
): SegmentFrame[] {
  const present = Array.from({ length: slices }, () => new Uint8Array(size));
  let highest = 0;
  for (const runs = new RunReader(labels, pixels); runs.next(); ) {
    highest = Math.max(highest, runs.label);
    present[Math.floor(runs.start / pixels)]![runs.label] = 1;
  }
  requireKnown(highest, size - 1);
  return numbers.flatMap((segmentNumber) => {
    const own = present.flatMap((seen, slice) => (seen[segmentNumber] ? [{ segmentNumber, slice }] : []));
    return own.length > 0 ? own : [{ segmentNumber, slice: 0 }];
  });
}

/**
 * Labels to LABELMAP pixel data (PS3.3 C.8.20.2): a frame for each slice, as it is.
 *
 * @param labels `[slice, pixel]`, 0 = background, otherwise one of `numbers`.
 * @throws AppError `correction-segment-unknown`: a label above them all.
 */
export function packLabelmap(
  labels: Uint8Array,
  pixelsPerSlice: number,
  numbers: readonly number[],
): { readonly frames: readonly SegFrame[]; readonly bytes: Uint8Array } {
  let highest = 0;
  for (const runs = new RunReader(labels, pixelsPerSlice); runs.next(); ) highest = Math.max(highest, runs.label);
  requireKnown(highest, numbers.length);
  return { frames: Array.from({ length: labels.length / pixelsPerSlice }, (_, slice) => ({ slice })), bytes: labels };
}

function requireKnown(highest: number, last: number): void {
  if (highest <= last) return;
  throw new AppError('correction-segment-unknown', `Segment ${highest} is above the last one, ${last}.`, {
    segment: highest,
  });
}

/** Maximum Fractional Value (0062,000E) of what is written: stands for a probability of 1. */
export const maximumFractionalValue = 255;

/**
 * Probabilities to FRACTIONAL pixel data (PS3.3 C.8.20.2.3): one byte a pixel, rounded to 1/255. Frames go by segment,
 * then slice; those that round to 0 everywhere are left out, but a segment without any other keeps one.
 *
 * @param probabilitiesOf of a slice, `[segment][pixel]`, 0..1.
 * @returns also whether two segments share a pixel.
 * @throws AppError `image-too-large`
 */
export function packFractional(
  probabilitiesOf: (slice: number) => readonly ArrayLike<number>[],
  slices: number,
  pixels: number,
  numbers: readonly number[],
): { readonly frames: readonly SegmentFrame[]; readonly bytes: Uint8Array; readonly overlap: boolean } {
  const planes = numbers.map((): { readonly slice: number; readonly values: Uint8Array }[] => []);
  const counts = new Uint16Array(pixels);
  let overlap = false;
  let total = 0;
  for (let slice = 0; slice < slices; slice++) {
    const probabilities = probabilitiesOf(slice);
    counts.fill(0);
    for (const [at, own] of planes.entries()) {
      const values = new Uint8Array(pixels);
      let isEmpty = true;
      for (let i = 0; i < pixels; i++) {
        const value = Math.round(maximumFractionalValue * (probabilities[at]?.[i] ?? 0));
        if (value === 0) continue;
        values[i] = value;
        isEmpty = false;
        counts[i] = (counts[i] ?? 0) + 1;
        overlap ||= (counts[i] ?? 0) > 1;
      }
      if (isEmpty) continue;
      own.push({ slice, values });
      total += pixels;
      if (total > mostBytes) throw new AppError('image-too-large', 'The probabilities take more than two gigabytes.');
    }
  }
  const frames: SegmentFrame[] = [];
  const kept: Uint8Array[] = [];
  for (const [at, segmentNumber] of numbers.entries()) {
    const own = planes[at] ?? [];
    for (const { slice, values } of own.length > 0 ? own : [{ slice: 0, values: new Uint8Array(pixels) }]) {
      frames.push({ segmentNumber, slice });
      kept.push(values);
    }
  }
  const bytes = new Uint8Array(kept.length * pixels);
  for (const [n, values] of kept.entries()) bytes.set(values, n * pixels);
  return { frames, bytes, overlap };
}
