import type { Ops, Tensor } from '../../engine/ops.ts';
import { countedAxes } from './overlap.ts';

/** Mean of the squared difference of two features of one shape. Gradients reach both. */
function meanSquare(ops: Ops, a: Tensor, b: Tensor): Tensor {
  return ops.mean(ops.square(ops.sub(a, b)));
}

/**
 * L_vis (eq. 17): the mean over the teacher's hidden maps of the squared distance between the projected map and a
 * hidden map of the student.
 *
 * @param projected P h of each map, shallow first, [N,F,tokens...].
 * @param hidden the student's maps for them, of the same shapes.
 */
export function visualLoss(ops: Ops, projected: readonly Tensor[], hidden: readonly Tensor[]): Tensor {
  if (projected.length === 0 || projected.length !== hidden.length)
    throw new RangeError(`visual distillation of ${projected.length} maps into ${hidden.length}`);
  const distances = projected.map((map, at) => meanSquare(ops, map, hidden[at] as Tensor));
  const sum = distances.reduce((all, distance) => ops.add(all, distance));
  return ops.mul(sum, ops.scalar(1 / distances.length));
}

/** L_sem (eq. 18): squared distance between the student's prior and the posterior F_post, [N,P,tokens...]. No stop-gradient. */
export function semanticLoss(ops: Ops, prior: Tensor, posterior: Tensor): Tensor {
  return meanSquare(ops, prior, posterior);
}

/**
 * Mean over channels of the variance over batch and space. Both distillation losses are least when both sides are
 * constant; a variance that vanishes shows it.
 */
export function spread(ops: Ops, features: Tensor): Tensor {
  const centred = ops.sub(features, ops.mean(features, countedAxes(features), true));
  return ops.mean(ops.square(centred));
}
