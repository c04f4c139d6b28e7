import type { Ops, Tensor } from '../engine/ops.ts';

/** What one teacher says of a batch of slices. */
export interface TeacherOutput {
  /** [N,C,space...] float32, sum 1 over C. */
  readonly probabilities: Tensor;
  /** [N,1,space...] float32 in [0, 1]. */
  readonly uncertainty: Tensor;
}

/** The pseudo label of a batch of unlabelled slices, and how it came to be. No gradient flows through any of it. */
export interface Gated {
  /** Fused probabilities [N,C,space...]; all 0 where no teacher is trusted. */
  readonly fused: Tensor;
  /** Hard pseudo label, one-hot [N,C,space...]. Meaningless where `trusted` is 0. */
  readonly label: Tensor;
  /** R, 1 where at least one teacher is trusted, else 0, [N,1,space...]. */
  readonly trusted: Tensor;
  /** r_G, 1 where the generalized teacher is trusted, [N,1,space...]. */
  readonly generalizedTrusted: Tensor;
  /** r_S, 1 where the specialized teacher is trusted, [N,1,space...]. */
  readonly specializedTrusted: Tensor;
}

/**
 * Uncertainty-gated fusion of both teachers (eq. 7-9).
 *
 * Each is trusted where its uncertainty is at most `threshold`. Both trusted: mixed with weights proportional to
 * exp(-u). One trusted: that one alone. None: ignored. An uncertainty of exactly 1 of the generalized teacher means
 * that it abstained; it is then never trusted, also not when the threshold has risen to 1.
 *
 * @param threshold tau, broadcastable to [N,1,space...].
 */
export function gate(ops: Ops, generalized: TeacherOutput, specialized: TeacherOutput, threshold: Tensor): Gated {
  const one = ops.scalar(1);
  const answered = ops.greater(one, generalized.uncertainty);
  const generalizedTrusted = ops.mul(ops.lessEqual(generalized.uncertainty, threshold), answered);
  const specializedTrusted = ops.lessEqual(specialized.uncertainty, threshold);

  // exp(-uG) / (exp(-uG) + exp(-uS)), in the form that cannot overflow.
  const weight = ops.sigmoid(ops.sub(specialized.uncertainty, generalized.uncertainty));
  const both = ops.mul(generalizedTrusted, specializedTrusted);
  const generalizedWeight = ops.add(ops.mul(both, weight), ops.sub(generalizedTrusted, both));
  const specializedWeight = ops.add(ops.mul(both, ops.sub(one, weight)), ops.sub(specializedTrusted, both));
  const fused = ops.stopGradient(
    ops.add(
      ops.mul(generalized.probabilities, generalizedWeight),
      ops.mul(specialized.probabilities, specializedWeight),
    ),
  );
  return {
    fused,
    label: ops.oneHotArgmax(fused, 1),
    trusted: ops.sub(ops.add(generalizedTrusted, specializedTrusted), both),
    generalizedTrusted,
    specializedTrusted,
  };
}
