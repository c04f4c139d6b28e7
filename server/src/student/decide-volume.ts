import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import type { Box } from '../volume/interpolate.ts';
import { sliceMapper } from '../volume/resample.ts';

/**
 * Labels on the source grid, `[slice, row, column]` uint8, decided from interpolated probabilities a source slice at a
 * time, then by the rules of the segments.
 *
 * @param foreground probability of each segment on `grid`, `[slice, row, column]` float32, by number - 1.
 */
export function decideVolume(
  foreground: readonly Float32Array[],
  grid: Geometry,
  source: Geometry,
  rules: readonly SegmentRule[],
): Uint8Array {
  const labels = new Uint8Array(voxelCount(source));
  const box = foregroundBox(foreground, grid);
  if (box === null) return labels;
  const probabilitiesOf = sliceMapper(foreground, grid, source, box);
  const pixels = source.size[0] * source.size[1];
  for (let k = 0; k < source.size[2]; k++) decideLabels(probabilitiesOf(k), labels, k * pixels);
  applySegmentRules(labels, source, rules);
  return labels;
}

/**
 * The grid voxels outside which every interpolated voxel is background: a segment can only win where some neighbour has
 * a foreground of one half or more in all. Null when there is none.
 */
function foregroundBox(foreground: readonly Float32Array[], grid: Geometry): Box | null {
  const [columns, rows, slices] = grid.size;
  const low = [columns, rows, slices] as [number, number, number];
  const high = [-1, -1, -1] as [number, number, number];
  for (let n = 0; n < voxelCount(grid); n++) {
    let sum = 0;
    for (const values of foreground) sum += values[n]!;
    if (sum < 0.5 - 1e-6) continue;
    const index = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis]!, index[axis]!);
      high[axis] = Math.max(high[axis]!, index[axis]!);
    }
  }
  if (high[0] < 0) return null;
  // One voxel further, because an interpolated voxel reads its neighbours on both sides; never beyond the grid.
  const first = (axis: 0 | 1 | 2): number => Math.max(0, low[axis] - 1);
  const last = (axis: 0 | 1 | 2): number => Math.min(grid.size[axis] - 1, high[axis] + 1);
  return { low: [first(0), first(1), first(2)], high: [last(0), last(1), last(2)] };
}
