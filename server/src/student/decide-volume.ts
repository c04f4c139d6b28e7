import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { carryDecided } from '../volume/carry.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { foregroundBox } from './foreground-box.ts';

/**
 * Labels on the source grid, `[slice, row, column]` uint8, decided from interpolated probabilities where they
 * do not agree, then by the rules of the segments.
 *
 * @param foreground probability of each segment on `grid`, `[slice, row, column]` float32, by number - 1.
 */
export function decideVolume(
  foreground: readonly Float32Array[],
  grid: Geometry,
  source: Geometry,
  rules: readonly SegmentRule[],
): Uint8Array {
  // A segment can only win where some neighbour has a foreground of one half or more in all.
  const box = foregroundBox(foreground, grid.size, 0.5 - 1e-6);
  if (box === null) return new Uint8Array(voxelCount(source));
  // What wins at all corners of a cell wins in it: each probability in it is the same mean of those at its corners.
  const codes = new Uint8Array(voxelCount(grid));
  decideLabels(foreground, codes);
  const labels = carryDecided({ fields: foreground, codes, decide: decideLabels }, grid, source, box);
  applySegmentRules(labels, source, rules);
  return labels;
}
