import type { Ops } from '../ops.ts';
import { convolutionOps } from './convolution.ts';
import { normalisationOps } from './normalisation.ts';
import { pointwiseOps } from './pointwise.ts';
import { productOps } from './products.ts';
import { resamplingOps } from './resampling.ts';
import { shapingOps } from './shaping.ts';

/**
 * The whole vocabulary, executed at once on the current TensorFlow.js backend. Gradients come from its tape. Shapes
 * are those that the graph of the same text has passed, so they are not checked again. The caller frees what is
 * computed: call it inside `tf.tidy`.
 */
export const tfjsOps: Ops = {
  ...pointwiseOps(),
  ...shapingOps(),
  ...productOps(),
  ...convolutionOps(),
  ...resamplingOps(),
  ...normalisationOps(),
};
