import { AppError } from '../errors/app-error.ts';

/** One frame of a BINARY SEG: which segment, which slice of the source. */
export interface SegFrame {
  readonly segmentNumber: number;
  readonly slice: number;
}

/** So far bits are counted in 32-bit numbers: half a gigabyte. */
const mostBits = 2 ** 32 - 16;

/**
 * Labels to BINARY pixel data (PS3.5 8.1.1, PS3.3 C.8.20.2): one bit a pixel, least significant first, bits running on
 * over frame borders, the end padded to an even byte. Frames go by segment, then slice; slices without a voxel of the
 * segment are left out, but an empty segment keeps one empty frame so that it stays in the object.
 *
 * @param labels `[slice, pixel]` uint8, 0 = background, 1..segmentCount.
 * @throws AppError `image-too-large`
 */
export function packBinary(
  labels: Uint8Array,
  pixelsPerSlice: number,
  segmentCount: number,
): { readonly frames: readonly SegFrame[]; readonly pixelData: Uint8Array } {
  const slices = labels.length / pixelsPerSlice;
  const frames = listFrames(labels, pixelsPerSlice, slices, segmentCount);
  const bits = frames.length * pixelsPerSlice;
  if (bits > mostBits)
    throw new AppError('image-too-large', `A SEG of ${frames.length} frames holds more than half a gigabyte of bits.`);
  const pixelData = new Uint8Array((Math.ceil(bits / 8) + 1) & ~1);
  const framesOfSlice: [segmentNumber: number, frame: number][][] = Array.from({ length: slices }, () => []);
  for (const [frame, { segmentNumber, slice }] of frames.entries()) framesOfSlice[slice]?.push([segmentNumber, frame]);
  // Each voxel is looked at once, however many segments there are: its label says which frame it belongs to.
  const firstBit = new Float64Array(256);
  for (const [slice, own] of framesOfSlice.entries()) {
    for (const [segmentNumber, frame] of own) firstBit[segmentNumber] = frame * pixelsPerSlice;
    const start = slice * pixelsPerSlice;
    for (let i = 0; i < pixelsPerSlice; i++) {
      const label = labels[start + i] ?? 0;
      if (label === 0) continue;
      const bit = (firstBit[label] ?? 0) + i;
      const at = bit >>> 3;
      pixelData[at] = (pixelData[at] ?? 0) | (1 << (bit & 7));
    }
  }
  return { frames, pixelData };
}

function listFrames(labels: Uint8Array, pixels: number, slices: number, segmentCount: number): SegFrame[] {
  const present = Array.from({ length: slices }, (_, slice) => {
    const seen = new Uint8Array(256);
    const end = (slice + 1) * pixels;
    for (let i = slice * pixels; i < end; i++) seen[labels[i] ?? 0] = 1;
    return seen;
  });
  const frames: SegFrame[] = [];
  for (let segmentNumber = 1; segmentNumber <= segmentCount; segmentNumber++) {
    const before = frames.length;
    for (const [slice, seen] of present.entries()) if (seen[segmentNumber]) frames.push({ segmentNumber, slice });
    if (frames.length === before) frames.push({ segmentNumber, slice: 0 });
  }
  return frames;
}
