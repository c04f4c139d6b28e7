import type { Vec3 } from '../volume/geometry.ts';
import { type Box, boxAround } from '../volume/interpolate.ts';

/**
 * The grid voxels outside which every interpolated voxel has a foreground of less than `least` in all. Null when there is
 * none.
 *
 * @param foreground probability of each segment, `[slice, row, column]` float32.
 */
export function foregroundBox(foreground: readonly Float32Array[], size: Vec3, least: number): Box | null {
  const [first, ...others] = foreground;
  if (first === undefined) return null;
  if (others.length === 0) return boxAround(size, first, least);
  const sums = first.slice();
  for (const values of others) for (let n = 0; n < sums.length; n++) sums[n]! += values[n]!;
  return boxAround(size, sums, least);
}
