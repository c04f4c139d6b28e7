import type { ForwardProgram, Ops, Parameters, Shape, Tensor } from '../engine/ops.ts';
import type { ForwardOptions, StudentOutputs } from './outputs.ts';
import type { PriorSettings } from './prior-encoder.ts';
import { dropoutShapes, probUnet2d, type UnetVariant, unetConfig } from './prob-unet.ts';
import { probVnet3d, type VnetVariant, vnetConfig } from './prob-vnet.ts';

/** Which network, and how large; the `architecture` of a model card fits. Class 0 is the background. */
export type Architecture =
  | { readonly network: 'prob-unet-2d'; readonly variant: UnetVariant; readonly classes: number }
  | { readonly network: 'prob-vnet-3d'; readonly variant: VnetVariant; readonly classes: number };

/**
 * A student, 2D or 3D. A `space` is [H,W] or [D,H,W], each a multiple of 16; what does not fit throws a `RangeError`.
 */
export interface Student {
  /** Background included. */
  readonly classes: number;
  /** Sizes of its transformer encoder: hidden maps have `features` channels, prior and posterior `channels`. */
  readonly prior: PriorSettings;
  /** Probability of each dropout mask of a training step, in order; none in 3D. */
  readonly dropout: readonly number[];
  /** Shapes of these masks for a batch. */
  dropoutShapes(batch: number, space: Shape): readonly Shape[];
  /** @param image [N,1,space...] float32, standardised intensities. */
  forward(ops: Ops, parameters: Parameters, image: Tensor, options?: ForwardOptions): StudentOutputs;
  /**
   * The served network. Input `image` [N,1,space...]; outputs `probabilities` [N,C,space...] and `entropy`
   * [N,1,space...], the Shannon entropy over log C, in [0, 1].
   */
  inferenceProgram(batch: number, space: Shape): ForwardProgram;
}

/** The student of an architecture. */
export function studentOf(architecture: Architecture): Student {
  if (architecture.network === 'prob-unet-2d') {
    const config = unetConfig(architecture.variant, architecture.classes);
    return served({
      ...config,
      dropoutShapes: (batch, space) => dropoutShapes(config, batch, space),
      forward: (ops, parameters, image, options) => probUnet2d(ops, parameters, config, image, options),
    });
  }
  const config = vnetConfig(architecture.variant, architecture.classes);
  return served({
    ...config,
    dropout: [],
    dropoutShapes: () => [],
    forward: (ops, parameters, image, options) => probVnet3d(ops, parameters, config, image, options),
  });
}

/** A student of its network: what is served follows from the forward text. */
export function served(network: Omit<Student, 'inferenceProgram'>): Student {
  const { classes, prior, dropout, dropoutShapes, forward } = network;
  const inferenceProgram = (batch: number, space: Shape): ForwardProgram => ({
    inputs: { image: [batch, 1, ...space] },
    build(ops, parameters, { image }) {
      const { logits } = forward(ops, parameters, image!);
      const probabilities = ops.softmax(logits, 1);
      const surprise = ops.mul(probabilities, ops.log(ops.add(probabilities, ops.scalar(1e-8))));
      const entropy = ops.mul(ops.sum(surprise, [1], true), ops.scalar(-1 / Math.log(classes)));
      return { probabilities, entropy };
    },
  });
  return { classes, prior, dropout, dropoutShapes, forward, inferenceProgram };
}
