import type { Tensor } from '../engine/ops.ts';

/** What one reading of a student gives; the space is [H,W] or [D,H,W], the patches a sixteenth of it. */
export interface StudentOutputs {
  /** Logits of the four heads, each [N,C,space...]. */
  readonly heads: readonly Tensor[];
  /** Mean of the four, [N,C,space...]. */
  readonly logits: Tensor;
  /** Token maps after each transformer block, [N,F,patches...]. */
  readonly hidden: readonly Tensor[];
  /** Features of the prior encoder, [N,P,patches...]. */
  readonly prior: Tensor;
}

/** What training does otherwise than serving. */
export interface ForwardOptions {
  /** [N,P,patches...], attended instead of the student's own prior (stage 1). */
  readonly posterior?: Tensor;
  /** Dropout masks, one for each entry of the student's `dropout`, already scaled by 1/(1-p); absent: no dropout. */
  readonly dropout?: readonly Tensor[];
}
