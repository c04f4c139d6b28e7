import type { DeviceFamily, Ops } from '../ops.ts';
import { convolutionOps } from './convolution.ts';
import { formsOf } from './forms.ts';
import { Tape, type Writing } from './gradients.ts';
import { Graph } from './graph.ts';
import { normalisationOps } from './normalisation.ts';
import { pointwiseOps } from './pointwise.ts';
import { productOps } from './products.ts';
import { resamplingOps } from './resampling.ts';
import { shapingOps } from './shaping.ts';
import { stridedOps } from './strided.ts';

/** An empty graph to write in. `training` graphs can be walked backwards; others use fused forward operators. */
export function startWriting(training: boolean, family: DeviceFamily): Writing {
  return { graph: new Graph(), tape: new Tape(), forms: formsOf[family], training };
}

/** The whole vocabulary, written as nodes of `writing.graph`. */
export function graphOps(writing: Writing): Ops {
  return {
    ...pointwiseOps(writing),
    ...shapingOps(writing),
    ...productOps(writing),
    ...convolutionOps(writing),
    ...stridedOps(writing),
    ...resamplingOps(writing),
    ...normalisationOps(writing),
  };
}
