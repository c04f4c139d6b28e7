/** Mean; NaN of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The middle of the values, or the mean of the two in the middle; NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return meanOf(sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1));
}

/** Standard deviation of a sample; 0 of a single value. */
export function sdOf(values: readonly number[]): number {
  const centre = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
}

/** Two-sided 95 % points of Student's t for 1 to 12 degrees of freedom; beyond, the last one is a bound from above. */
const points = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179] as const;

/**
 * 95 % interval of the mean, by Student's t; wider than that with more than 13 values.
 *
 * @throws RangeError with fewer than two values.
 */
export function interval95(values: readonly number[]): { readonly low: number; readonly high: number } {
  const point = points[Math.min(values.length - 2, points.length - 1)];
  if (point === undefined) throw new RangeError(`interval95: ${values.length} values, two are needed`);
  const centre = meanOf(values);
  const half = (point * sdOf(values)) / Math.sqrt(values.length);
  return { low: centre - half, high: centre + half };
}
