import type { Geometry } from './geometry.ts';

/** What says where the slices of a grid lie. */
type Slices = Pick<Geometry, 'size' | 'sliceSteps'>;

/** How far slice k lies from the first, in steps; k may be fractional, and beyond the outer slices their gap goes on. */
export function stepOfSlice({ sliceSteps }: Slices, k: number): number {
  if (sliceSteps === undefined) return k;
  const before = Math.max(0, Math.min(sliceSteps.length - 2, Math.floor(k)));
  const step = sliceSteps[before]!;
  return step + (k - before) * (sliceSteps[before + 1]! - step);
}

/** The slice, fractional, at a distance of so many steps: the inverse of {@link stepOfSlice}. */
export function sliceOfStep({ sliceSteps }: Slices, step: number): number {
  if (sliceSteps === undefined) return step;
  const before = Math.max(0, Math.min(sliceSteps.length - 2, countUpTo(sliceSteps, step) - 1));
  const from = sliceSteps[before]!;
  return before + (step - from) / (sliceSteps[before + 1]! - from);
}

/** Steps from the first slice to the last. */
export function lastStep({ size, sliceSteps }: Slices): number {
  return sliceSteps?.[sliceSteps.length - 1] ?? size[2] - 1;
}

/**
 * How many steps each slice stands for: half-way to its neighbours, and half a step beyond the outer ones, as far as a grid
 * reaches. All 1 of an even grid.
 */
export function sliceShares({ size, sliceSteps }: Slices): Float64Array {
  const shares = new Float64Array(size[2]).fill(1);
  sliceSteps?.forEach((step, k) => {
    const toward = (neighbour: number | undefined): number =>
      neighbour === undefined ? 0.5 : Math.abs(neighbour - step) / 2;
    shares[k] = toward(sliceSteps[k - 1]) + toward(sliceSteps[k + 1]);
  });
  return shares;
}

/** The steps half-way between neighbouring slices; undefined of an even grid. */
export function sliceBounds({ sliceSteps }: Slices): readonly number[] | undefined {
  return sliceSteps?.slice(1).map((step, k) => (sliceSteps[k]! + step) / 2);
}

/** How many of the rising `values` are not above `limit`. */
export function countUpTo(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
