/** One frame of a BINARY SEG: which segment, which slice of the source. */
export interface SegFrame {
  readonly segmentNumber: number;
  readonly slice: number;
}

/**
 * Labels to BINARY pixel data (PS3.5 8.1.1, PS3.3 C.8.20.2): one bit a pixel, least significant first, bits running on
 * over frame borders, the end padded to an even byte. Frames go by segment, then slice; slices without a voxel of the
 * segment are left out, but an empty segment keeps one empty frame so that it stays in the object.
 *
 * @param labels `[slice, pixel]` uint8, 0 = background, 1..segmentCount.
 */
export function packBinary(
  labels: Uint8Array,
  pixelsPerSlice: number,
  segmentCount: number,
): { readonly frames: readonly SegFrame[]; readonly pixelData: Uint8Array } {
  const slices = labels.length / pixelsPerSlice;
  const frames = listFrames(labels, pixelsPerSlice, slices, segmentCount);
  const pixelData = new Uint8Array((Math.ceil((frames.length * pixelsPerSlice) / 8) + 1) & ~1);
  let bit = 0;
  for (const { segmentNumber, slice } of frames) {
    const end = (slice + 1) * pixelsPerSlice;
    for (let i = slice * pixelsPerSlice; i < end; i++, bit++) {
      if (labels[i] === segmentNumber) pixelData[bit >> 3] = (pixelData[bit >> 3] ?? 0) | (1 << (bit & 7));
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
