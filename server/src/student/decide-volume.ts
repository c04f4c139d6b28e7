import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { sliceMapper } from '../volume/resample.ts';
import { foregroundBox } from './foreground-box.ts';

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
  // A segment can only win where some neighbour has a foreground of one half or more in all.
  const box = foregroundBox(foreground, grid.size, 0.5 - 1e-6);
  if (box === null) return labels;
  const probabilitiesOf = sliceMapper(foreground, grid, source, box);
  const pixels = source.size[0] * source.size[1];
  for (let k = 0; k < source.size[2]; k++) decideLabels(probabilitiesOf(k), labels, k * pixels);
  applySegmentRules(labels, source, rules);
  return labels;
}
