import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { carryDecided } from '../volume/carry.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';
import type { Answer } from './predict.ts';

/** A segment can only win where all together have one half or more; what float32 makes of their sum is off by far less than the rest. */
const least = 0.5 - 1e-3;

/**
 * Labels on the source grid, `[slice, row, column]` uint8, decided from interpolated probabilities where they
 * do not agree, then by the rules of the segments.
 *
 * @param answer of the network, on `grid`.
 */
export function decideVolume(
  answer: Pick<Answer, 'foreground' | 'anySegment'>,
  grid: Geometry,
  source: Geometry,
  rules: readonly SegmentRule[],
): Uint8Array {
  const { foreground, anySegment } = answer;
  const box = boxAround(grid.size, anySegment, least);
  if (box === null) return new Uint8Array(voxelCount(source));
  // What wins at all corners of a cell wins in it: each probability in it is the same mean of those at its corners.
  const codes = decideGrid(foreground, anySegment);
  const labels = carryDecided({ fields: foreground, codes, decide: decideLabels }, grid, source, box);
  applySegmentRules(labels, source, rules);
  return labels;
}

/** Labels on the network's grid: where no segment can win there is nothing to compare. */
function decideGrid(foreground: readonly Float32Array[], anySegment: Float32Array): Uint8Array {
  const labels = new Uint8Array(anySegment.length);
  for (let n = 0; n < anySegment.length; n++) {
    if (!(anySegment[n]! >= least)) continue;
    const from = n;
    while (n < anySegment.length && anySegment[n]! >= least) n++;
    decideLabels(foreground, labels, from, n);
  }
  return labels;
}
