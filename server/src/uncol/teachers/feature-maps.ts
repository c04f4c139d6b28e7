/** Side of the grid on which maps of the teacher are kept: its own 64 x 64 pooled by 4, as in the published code. */
export const keptSide = 16;

/**
 * Mean over blocks. Pooling and the student's 1x1 projection commute, so maps may be pooled before they are kept.
 *
 * @param map [channels,side,side] float32; `side` a multiple of {@link keptSide}.
 * @returns [channels,16,16].
 */
export function poolToKept(map: Float32Array, channels: number, side: number): Float32Array {
  const factor = side / keptSide;
  if (!Number.isInteger(factor) || map.length !== channels * side * side) {
    throw new RangeError(`poolToKept: ${map.length} values for [${channels},${side},${side}]`);
  }
  const pooled = new Float32Array(channels * keptSide * keptSide);
  for (let at = 0; at < map.length; at++) {
    const row = Math.floor(at / side);
    const channel = Math.floor(row / side);
    const to = (channel * keptSide + Math.floor((row % side) / factor)) * keptSide + Math.floor((at % side) / factor);
    pooled[to] = (pooled[to] ?? 0) + (map[at] ?? 0) / (factor * factor);
  }
  return pooled;
}

/** A slice in which each pixel may come from elsewhere in the slice that the teacher saw. */
export interface PixelOrigin {
  readonly height: number;
  readonly width: number;
  /** Index of the pixel that stands at each place, [H,W]; -1: from outside. Absent: its own. */
  readonly from?: Int32Array | undefined;
}

/**
 * A kept map as the student's tokens would see it: the mean over the pixels of each token's patch, each looked up where
 * it came from. So one encoding serves every augmentation of a slice.
 *
 * @param map [channels,16,16], over the square of the slice's longer side.
 * @param patch side of a token, pixels.
 * @returns [channels,H/patch,W/patch]; 0 where all pixels came from outside.
 */
export function mapTokens(map: Float32Array, origin: PixelOrigin, patch: number): Float32Array {
  const { height, width, from } = origin;
  const cells = keptSide * keptSide;
  const channels = map.length / cells;
  const columns = width / patch;
  const tokens = (height / patch) * columns;
  const shares = tokenShares(origin, patch, cells);
  const result = new Float32Array(channels * tokens);
  for (let token = 0; token < tokens; token++) {
    for (const [cell, share] of shares[token] ?? []) {
      for (let channel = 0; channel < channels; channel++) {
        const to = channel * tokens + token;
        result[to] = (result[to] ?? 0) + share * (map[channel * cells + cell] ?? 0);
      }
    }
  }
  if (from && from.length !== height * width) throw new RangeError(`mapTokens: ${from.length} origins`);
  return result;
}

/** Of each token: which kept cells its pixels come from, and their share of those that come from inside. */
function tokenShares({ height, width, from }: PixelOrigin, patch: number, cells: number) {
  const columns = width / patch;
  const scale = keptSide / Math.max(height, width);
  const counts = Array.from({ length: (height / patch) * columns }, () => new Map<number, number>());
  for (let pixel = 0; pixel < height * width; pixel++) {
    const source = from ? (from[pixel] ?? -1) : pixel;
    if (source < 0) continue;
    const row = Math.floor((Math.floor(source / width) + 0.5) * scale);
    const cell = row * keptSide + Math.floor(((source % width) + 0.5) * scale);
    if (cell >= cells) throw new RangeError(`mapTokens: origin ${source} lies outside`);
    const token = Math.floor(Math.floor(pixel / width) / patch) * columns + Math.floor((pixel % width) / patch);
    const of = counts[token];
    of?.set(cell, (of.get(cell) ?? 0) + 1);
  }
  return counts.map((of) => {
    const all = [...of.values()].reduce((sum, count) => sum + count, 0);
    return [...of].map(([cell, count]) => [cell, count / all] as const);
  });
}
