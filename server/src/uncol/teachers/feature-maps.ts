import type { Shape } from '../../engine/ops.ts';
import { product } from '../../student/layers.ts';
import { elementsOn } from './grids.ts';

/**
 * The grid on which maps of the teacher are kept, that of the student's tokens in the published sizes: 16 x 16 for slices
 * (64 x 64 pooled by 4), 8 x 8 x 8 for volumes (as SAM-Med3D gives them).
 */
export function keptGrid(axes: number): Shape {
  return axes === 2 ? [16, 16] : [8, 8, 8];
}

/**
 * Mean over blocks. Pooling and the student's 1x1 projection commute, so maps may be pooled before they are kept.
 *
 * @param map [channels,grid...] float32; the sides of the grid equal, and multiples of those of {@link keptGrid}.
 * @returns [channels,kept...].
 */
export function poolToKept(map: Float32Array, channels: number, grid: Shape): Float32Array {
  const kept = keptGrid(grid.length);
  const factor = grid[0]! / kept[0]!;
  const [cells, elements] = [product(kept), product(grid)];
  if (!Number.isInteger(factor) || grid.some((side) => side !== grid[0]) || map.length !== channels * elements)
    throw new RangeError(`poolToKept: ${map.length} values for [${channels},${grid}]`);
  const cellOf = elementsOn(grid, kept, (place) => Math.floor(place / factor));
  const pooled = new Float32Array(channels * cells);
  for (let at = 0; at < map.length; at++) {
    const to = Math.floor(at / elements) * cells + cellOf[at % elements]!;
    pooled[to] = pooled[to]! + map[at]! / factor ** grid.length;
  }
  return pooled;
}

/** An image in which each pixel may come from elsewhere in the image that the teacher saw. */
export interface PixelOrigin {
  readonly space: Shape;
  /** Index of the pixel that stands at each place, [space...]; -1: from outside. Absent: its own. */
  readonly from?: Int32Array | undefined;
}

/**
 * A kept map as the student's tokens would see it: the mean over the pixels of each token's patch, each looked up where
 * it came from. So one encoding serves every augmentation of an image.
 *
 * @param map [channels,kept...], over the square or cube of the image's longest side.
 * @param patch side of a token, pixels.
 * @returns [channels,space/patch...]; 0 where all pixels came from outside.
 */
export function mapTokens(map: Float32Array, origin: PixelOrigin, patch: number): Float32Array {
  const { space, from } = origin;
  if (from && from.length !== product(space)) throw new RangeError(`mapTokens: ${from.length} origins`);
  const kept = keptGrid(space.length);
  const cells = product(kept);
  const channels = map.length / cells;
  const shares = tokenShares(origin, kept, patch);
  const result = new Float32Array(channels * shares.length);
  for (const [token, ofToken] of shares.entries()) {
    for (const [cell, share] of ofToken) {
      for (let channel = 0; channel < channels; channel++) {
        const to = channel * shares.length + token;
        result[to] = (result[to] ?? 0) + share * (map[channel * cells + cell] ?? 0);
      }
    }
  }
  return result;
}

/** Of each token: which kept cells its pixels come from, and their share of those that come from inside. */
function tokenShares({ space, from }: PixelOrigin, kept: Shape, patch: number) {
  const grid = space.map((size) => size / patch);
  const scale = kept[0]! / Math.max(...space);
  const tokenOf = elementsOn(space, grid, (place) => Math.floor(place / patch));
  const cellOf = elementsOn(space, kept, (place) => Math.floor((place + 0.5) * scale));
  const counts = Array.from({ length: product(grid) }, () => new Map<number, number>());
  for (let pixel = 0; pixel < tokenOf.length; pixel++) {
    const source = from ? (from[pixel] ?? -1) : pixel;
    if (source < 0) continue;
    const cell = cellOf[source];
    if (cell === undefined) throw new RangeError(`mapTokens: origin ${source} lies outside`);
    const ofToken = counts[tokenOf[pixel]!]!;
    ofToken.set(cell, (ofToken.get(cell) ?? 0) + 1);
  }
  return counts.map((ofToken) => {
    const all = [...ofToken.values()].reduce((sum, count) => sum + count, 0);
    return [...ofToken].map(([cell, count]) => [cell, count / all] as const);
  });
}
