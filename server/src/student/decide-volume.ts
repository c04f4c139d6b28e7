import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { carryDecided } from '../volume/carry.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';
import { sumForeground } from './foreground.ts';

/** A segment can only win where all together have one half or more; sums of a hundred float32 are off by less than the rest. */
const least = 0.5 - 1e-5;

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
  const sums = sumForeground(foreground);
  const box = boxAround(grid.size, sums, least);
  if (box === null) return new Uint8Array(voxelCount(source));
  // What wins at all corners of a cell wins in it: each probability in it is the same mean of those at its corners.
  const codes = decideGrid(foreground, sums);
  const labels = carryDecided({ fields: foreground, codes, decide: decideLabels }, grid, source, box);
  applySegmentRules(labels, source, rules);
  return labels;
}

/** Labels on the network's grid: where no segment can win there is nothing to compare. */
function decideGrid(foreground: readonly Float32Array[], sums: Float32Array): Uint8Array {
  const labels = new Uint8Array(sums.length);
  for (let n = 0; n < sums.length; n++) {
    if (!(sums[n]! >= least)) continue;
    const from = n;
    while (n < sums.length && sums[n]! >= least) n++;
    decideLabels(foreground, labels, 0, from, n);
  }
  return labels;
}
