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

/** Two-sided 95 % points of Student's t for 1 to 12 degrees of freedom. */
const points = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179] as const;

/** The same for more of them: the normal point and its expansion in 1 / degrees, right to 0.0003 (Abramowitz and Stegun 26.7.5). */
function pointOf(degrees: number): number {
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return points[degrees - 1] ?? z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}

/**
 * 95 % interval of the mean, by Student's t.
 *
 * @throws RangeError with fewer than two values.
 */
export function interval95(values: readonly number[]): { readonly low: number; readonly high: number } {
  if (values.length < 2) throw new RangeError(`interval95: ${values.length} values, two are needed`);
  const point = pointOf(values.length - 1);
  const centre = meanOf(values);
  const half = (point * sdOf(values)) / Math.sqrt(values.length);
  return { low: centre - half, high: centre + half };
}
