import type { Ops, Tensor } from '../engine/ops.ts';
import type { TeacherOutput } from './gating.ts';
import type { CollaborationSettings } from './settings.ts';
import { normalisedEntropy } from './uncertainty.ts';

/**
 * p_G and u_G from the mask logits of the generalized teacher (eq. 16). Foreground: sigmoid(logit / T_c); background:
 * what is left, at least 0.
 *
 * - `softmax`: a softmax over these probabilities, as published. With two classes p_G then never exceeds 0.731.
 * - `renorm`: divided by their sum.
 * - `calibrated`: the same with temperatures fitted on labelled slices.
 *
 * @param maskLogits [N,C-1,space...] float32.
 * @param temperature [1,C-1,1...], T; 1 unless calibrated.
 * @param answered [N,1,space...], 0 where the teacher abstains: u_G is 1 there.
 */
export function foundationOutput(
  ops: Ops,
  maskLogits: Tensor,
  temperature: Tensor,
  answered: Tensor,
  foundationProb: CollaborationSettings['foundationProb'],
): TeacherOutput {
  const one = ops.scalar(1);
  const foreground = ops.sigmoid(ops.div(maskLogits, temperature));
  const background = ops.relu(ops.sub(one, ops.sum(foreground, [1], true)));
  const raw = ops.concat([background, foreground], 1);
  const probabilities = foundationProb === 'softmax' ? ops.softmax(raw, 1) : ops.div(raw, ops.sum(raw, [1], true));
  const entropy = ops.mul(normalisedEntropy(ops, probabilities), answered);
  return { probabilities, uncertainty: ops.add(entropy, ops.sub(one, answered)) };
}
