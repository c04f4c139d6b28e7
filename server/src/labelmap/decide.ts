import { type Geometry, sliceStepMm, voxelCount } from '../volume/geometry.ts';
import { sliceShares } from '../volume/slice-steps.ts';
import { removeComponents } from './components.ts';
import { listRuns } from './runs.ts';

/** What the card says of one segment beyond its probability. */
export interface SegmentRule {
  /** Class index in the labelmap, from 1. */
  readonly number: number;
  /** Keep only the largest 26-connected component of the volume. */
  readonly largestComponent: boolean;
  /** Components smaller than this are dropped. */
  readonly minVolumeMl: number;
  /** Stands in every series that fits the model. */
  readonly isExpected?: boolean | undefined;
}

/**
 * Class indices from probabilities, written to `out[n]`, by default of all there are. `foreground[c - 1][n]` is the probability of class c;
 * the background has what is missing to 1. The largest wins; a tie goes to the foreground (so with one foreground
 * class: p >= 0.5) and, between segments, to the lower number.
 */
export function decideLabels(
  foreground: readonly ArrayLike<number>[],
  out: Uint8Array,
  from = 0,
  end = foreground[0]?.length ?? 0,
): void {
  const single = foreground.length === 1 ? foreground[0]! : undefined;
  if (single !== undefined) {
    for (let n = from; n < end; n++) out[n] = single[n]! >= 0.5 ? 1 : 0;
    return;
  }
  for (let n = from; n < end; n++) {
    let background = 1;
    let best = 0;
    let label = 0;
    for (let c = 0; c < foreground.length; c++) {
      const p = foreground[c]![n]!;
      background -= p;
      if (p > best) {
        best = p;
        label = c + 1;
      }
    }
    // float32 probabilities add up to 1 within about 1e-7 only.
    out[n] = best >= background - 1e-6 ? label : 0;
  }
}

/**
 * Applies the card's rules in place: per segment the largest component, and no component below the least volume.
 * `labels` is `[slice, row, column]` uint8 on `geometry`.
 */
export function applySegmentRules(labels: Uint8Array, geometry: Geometry, rules: readonly SegmentRule[]): void {
  if (labels.length !== voxelCount(geometry))
    throw new RangeError(`${labels.length} labels for ${voxelCount(geometry)} voxels`);
  const [di, dj] = geometry.spacingMm;
  const shares = sliceShares(geometry);
  // What one rule takes away is none of another's.
  let runs: ReturnType<typeof listRuns> | undefined;
  for (const rule of rules) {
    const minVoxels = (rule.minVolumeMl * 1000) / (di * dj * sliceStepMm(geometry));
    if (!rule.largestComponent && minVoxels <= Math.min(...shares)) continue;
    runs ??= listRuns(labels, geometry.size[0]);
    const keep = { largestOnly: rule.largestComponent, minVoxels, shares };
    removeComponents(labels, geometry.size, rule.number, keep, runs);
  }
}
