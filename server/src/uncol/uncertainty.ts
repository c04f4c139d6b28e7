import type { Ops, Tensor } from '../engine/ops.ts';

/** Added inside the logarithm, so that a probability of 0 gives 0 and not NaN. */
const logFloor = 1e-8;

/**
 * Normalised Shannon entropy u = -sum_c p_c log(p_c) / log C (eq. 6): 0 = certain, 1 = says nothing.
 *
 * @param probabilities [N,C,space...] float32, sum 1 over C.
 * @returns [N,1,space...] float32 in [0, 1] (up to rounding).
 */
export function normalisedEntropy(ops: Ops, probabilities: Tensor): Tensor {
  const classes = probabilities.shape[1] ?? 0;
  if (classes < 2) throw new RangeError(`entropy needs two classes or more, got shape [${probabilities.shape}]`);
  const logs = ops.log(ops.add(probabilities, ops.scalar(logFloor)));
  const sum = ops.sum(ops.mul(probabilities, logs), [1], true);
  return ops.mul(sum, ops.scalar(-1 / Math.log(classes)));
}
