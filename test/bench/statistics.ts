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

/** Greatest rate (one-sided 95 %, exact) at which so few events of so many trials are still as likely as 5 %. */
export function rateAtMost(events: number, trials: number): number {
  let [low, high] = [events / trials, 1];
  for (let n = 0; n < 50 && events < trials; n++) {
    const rate = (low + high) / 2;
    if (atMost(events, trials, rate) > 0.05) low = rate;
    else high = rate;
  }
  return high;
}

/** Binomial: probability of at most so many events. */
function atMost(events: number, trials: number, rate: number): number {
  let term = (1 - rate) ** trials;
  let sum = term;
  for (let n = 1; n <= events; n++) {
    term *= ((trials - n + 1) / n) * (rate / (1 - rate));
    sum += term;
  }
  return sum;
}
