import type { Optimiser } from './ops.ts';

/** Numbers that change from step to step, in the order of {@link ratesOf}. */
export const rateCount = 5;

/**
 * The rates of step `step` (counted from 1): the optimiser's step size, the factor that decays the weights (AdamW),
 * the denominator's epsilon after bias correction, and the two weights of the EMA.
 */
export function ratesOf(optimiser: Optimiser, step: number, learningRate: number, emaDecay: number): Float32Array {
  if (optimiser.kind === 'sgd') return Float32Array.of(learningRate, 0, 0, emaDecay, 1 - emaDecay);
  // Both corrections folded into two scalars: m/c1 / (sqrt(v)/sqrt(c2) + e) = sqrt(c2)/c1 m / (sqrt(v) + sqrt(c2) e).
  const first = 1 - optimiser.beta1 ** step;
  const second = Math.sqrt(1 - optimiser.beta2 ** step);
  return Float32Array.of(
    (learningRate * second) / first,
    1 - learningRate * optimiser.weightDecay,
    second * optimiser.epsilon,
    emaDecay,
    1 - emaDecay,
  );
}
