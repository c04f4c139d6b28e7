/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between order statistics; `share` 0 is the least, 1 the greatest. NaN when there is no value. */
export function quantile(values: readonly number[], share: number): number {
  const ordered = values.toSorted((a, b) => a - b);
  const at = share * (ordered.length - 1);
  const low = ordered[Math.floor(at)] ?? Number.NaN;
  const high = ordered[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Share of pairs in which a value of `higher` exceeds one of `lower`, ties counted half: the area under the ROC curve. */
export function auroc(higher: readonly number[], lower: readonly number[]): number {
  return mean(higher.flatMap((value) => lower.map((other) => (value > other ? 1 : value === other ? 0.5 : 0))));
}

/** Two-sided 95 % points of Student's t for 1 to 10 degrees of freedom. */
const student = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** 95 % interval of the mean of 2 to 11 values, by Student's t. */
export function interval95(values: readonly number[]): { readonly low: number; readonly high: number } {
  const point = student[values.length - 2];
  if (point === undefined) throw new RangeError(`interval95: ${values.length} values, 2 to 11 are served`);
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  const half = point * Math.sqrt(squares / (values.length - 1) / values.length);
  return { low: centre - half, high: centre + half };
}
