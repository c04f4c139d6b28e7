import type { Ops, Tensor } from '../../engine/ops.ts';

/** Keeps an overlap defined where a class is absent from prediction and truth. */
const smooth = 1e-5;
/** Keeps a mean over an empty region 0 instead of NaN. */
const emptyRegion = 1e-16;

/** Batch and space, the axes over which a class is counted: all but the channels. */
export function countedAxes({ shape }: Tensor): number[] {
  return shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}

/**
 * Mean over the pixels of a region: sum(x * region) / sum(region), 0 for an empty region.
 *
 * @param x [N,1,space...].
 * @param region [N,1,space...] of 0 and 1. Pixels at 0 get exactly no gradient.
 */
export function regionMean(ops: Ops, x: Tensor, region: Tensor): Tensor {
  return ops.div(ops.sum(ops.mul(x, region)), ops.add(ops.sum(region), ops.scalar(emptyRegion)));
}

/** Negative log probability of the true class, [N,1,space...]. `logits` and one-hot `truth` are [N,C,space...]. */
export function negativeLogLikelihood(ops: Ops, logits: Tensor, truth: Tensor): Tensor {
  return ops.neg(ops.sum(ops.mul(ops.logSoftmax(logits, 1), truth), [1], true));
}

/** Cross-entropy over a region (eq. 1): the mean of -log p of the true class. */
export function crossEntropy(ops: Ops, logits: Tensor, truth: Tensor, region: Tensor): Tensor {
  return regionMean(ops, negativeLogLikelihood(ops, logits, truth), region);
}

/** Focal loss with gamma = 2 over a region (eq. 3): the mean of -(1 - p)^2 log p of the true class. */
export function focal(ops: Ops, logits: Tensor, truth: Tensor, region: Tensor): Tensor {
  const nll = negativeLogLikelihood(ops, logits, truth);
  const missing = ops.sub(ops.scalar(1), ops.exp(ops.neg(nll)));
  return regionMean(ops, ops.mul(ops.square(missing), nll), region);
}

/**
 * Dice loss over a region (eq. 2): the mean over all classes, background included, of
 * 1 - (2 sum py + s) / (sum p + sum y + s), counted over batch and space.
 */
export function dice(ops: Ops, logits: Tensor, truth: Tensor, region: Tensor): Tensor {
  const { overlap, total } = counts(ops, logits, truth, region);
  const s = ops.scalar(smooth);
  const score = ops.div(ops.add(ops.mul(overlap, ops.scalar(2)), s), ops.add(total, s));
  return ops.sub(ops.scalar(1), ops.mean(score));
}

/** Soft intersection over union, as a loss (eq. 4); classes, region and counting as in {@link dice}. */
export function softIou(ops: Ops, logits: Tensor, truth: Tensor, region: Tensor): Tensor {
  const { overlap, total } = counts(ops, logits, truth, region);
  const s = ops.scalar(smooth);
  const score = ops.div(ops.add(overlap, s), ops.add(ops.sub(total, overlap), s));
  return ops.sub(ops.scalar(1), ops.mean(score));
}

/** Per class [C]: sum of p * y, and sum of p plus sum of y, inside the region. */
function counts(ops: Ops, logits: Tensor, truth: Tensor, region: Tensor): { overlap: Tensor; total: Tensor } {
  const probabilities = ops.softmax(logits, 1);
  const axes = countedAxes(logits);
  return {
    overlap: ops.sum(ops.mul(ops.mul(probabilities, truth), region), axes),
    total: ops.sum(ops.mul(ops.add(probabilities, truth), region), axes),
  };
}
