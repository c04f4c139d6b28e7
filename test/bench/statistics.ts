import { meanOf } from '../../server/src/round/statistics.ts';

/** Linear between order statistics; `share` 0 is the least, 1 the greatest. NaN when there is no value. */
export function quantile(values: readonly number[], share: number): number {
  const ordered = values.toSorted((a, b) => a - b);
  const at = share * (ordered.length - 1);
  const low = ordered[Math.floor(at)] ?? Number.NaN;
  const high = ordered[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** Share of pairs in which a value of `higher` exceeds one of `lower`, ties counted half: the area under the ROC curve. */
export function auroc(higher: readonly number[], lower: readonly number[]): number {
  return meanOf(higher.flatMap((value) => lower.map((other) => (value > other ? 1 : value === other ? 0.5 : 0))));
}
