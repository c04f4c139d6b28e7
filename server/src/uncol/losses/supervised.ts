import type { Ops, Tensor, Tensors } from '../../engine/ops.ts';
import { crossEntropy, dice, focal, softIou } from './overlap.ts';

/** A scalar loss and the scalars it is made of, for the log. */
export interface Loss {
  readonly value: Tensor;
  readonly terms: Tensors;
}

/**
 * The supervised loss of stage 1 (eq. 5): each of the four heads learns from a loss of its own.
 *
 * @param heads logits of the four heads, each [N,C,space...].
 * @param truth one-hot [N,C,space...].
 * @param region [N,1,space...], 1 where the truth is known.
 */
export function supervisedLoss(ops: Ops, heads: readonly Tensor[], truth: Tensor, region: Tensor): Loss {
  const [first, second, third, fourth] = heads;
  if (!first || !second || !third || !fourth || heads.length !== 4)
    throw new RangeError(`the supervised loss needs four heads, got ${heads.length}`);
  const terms = {
    crossEntropy: crossEntropy(ops, first, truth, region),
    dice: dice(ops, second, truth, region),
    focal: focal(ops, third, truth, region),
    softIou: softIou(ops, fourth, truth, region),
  };
  const sum = ops.add(ops.add(terms.crossEntropy, terms.dice), ops.add(terms.focal, terms.softIou));
  return { value: ops.mul(sum, ops.scalar(1 / 4)), terms };
}
