import type { Ops, Tensor } from '../../engine/ops.ts';
import { crossEntropy, dice } from './overlap.ts';
import type { Loss } from './supervised.ts';

/** One side of a mixed slice: where it lies, what is to be learnt there, how much it counts. */
export interface Side {
  /** One-hot [N,C,space...]. */
  readonly truth: Tensor;
  /** [N,1,space...] of 0 and 1: the side's part of the mix, times what is known (labelled) or trusted (pseudo label). */
  readonly region: Tensor;
  readonly weight: number;
}

/** Loss of one side before its weight: cross-entropy normalised by its own region, and Dice, weighing the same. */
export interface SideLoss extends Loss {
  readonly terms: { readonly crossEntropy: Tensor; readonly dice: Tensor };
}

/**
 * Loss of one side of the mix (eq. 11): w/2 (Dice + CE) over the side's region.
 * `value` carries the weight, the terms do not.
 */
export function sideLoss(ops: Ops, logits: Tensor, side: Side): SideLoss {
  const terms = {
    crossEntropy: crossEntropy(ops, logits, side.truth, side.region),
    dice: dice(ops, logits, side.truth, side.region),
  };
  return { value: ops.mul(ops.add(terms.crossEntropy, terms.dice), ops.scalar(side.weight / 2)), terms };
}

/** L_mix of one batch of mixed slices (eq. 12): the sum of both sides, each returned for the log. */
export function mixLoss(
  ops: Ops,
  logits: Tensor,
  groundTruth: Side,
  pseudo: Side,
): { readonly value: Tensor; readonly groundTruth: SideLoss; readonly pseudo: SideLoss } {
  const sides = { groundTruth: sideLoss(ops, logits, groundTruth), pseudo: sideLoss(ops, logits, pseudo) };
  return { value: ops.add(sides.groundTruth.value, sides.pseudo.value), ...sides };
}
