import type { ForwardProgram, Ops, Parameters, Shape, Tensor } from '../engine/ops.ts';
import { crossAttention } from './fusion.ts';
import { convolution, type Layers, norm } from './layers.ts';
import { type PriorSettings, priorEncoder } from './prior-encoder.ts';

/** Sizes of a 2D Prob_UNet (README of `uncol`, method section 1). */
export interface StudentConfig {
  readonly variant: 'full' | 'lite';
  /** Class 0 is the background. */
  readonly classes: number;
  /** Channels of the five encoder levels, full resolution first. */
  readonly channels: readonly [number, number, number, number, number];
  /** Dropout probability of each encoder level. */
  readonly dropout: readonly [number, number, number, number, number];
  readonly prior: PriorSettings;
}

/** What one reading of the network gives. */
export interface StudentOutputs {
  /** Logits of the four heads, each [N,C,H,W]. */
  readonly heads: readonly Tensor[];
  /** Mean of the four, [N,C,H,W]. */
  readonly logits: Tensor;
  /** Token maps after each transformer block, [N,F,H/16,W/16]. */
  readonly hidden: readonly Tensor[];
  /** Features of the prior encoder, [N,P,H/16,W/16]. */
  readonly prior: Tensor;
}

/** Side of a patch, and the factor between image and bottleneck: H and W must be multiples of it. */
export const patchSize = 16;

const headCount = 4;
const levelDropout = [0.05, 0.1, 0.2, 0.3, 0.5] as const;

/** The two sizes in use: `full` as published, `lite` for machines without a GPU. */
export function studentConfig(variant: 'full' | 'lite', classes: number): StudentConfig {
  if (!Number.isInteger(classes) || classes < 2) throw new RangeError(`studentConfig: ${classes} classes`);
  const common = { variant, classes, dropout: levelDropout };
  if (variant === 'full') {
    const prior = { features: 128, depth: 4, heads: 4, headSize: 64, hiddenFeatures: 256, channels: 256, neck: true };
    return { ...common, channels: [16, 32, 64, 128, 256], prior };
  }
  const prior = { features: 64, depth: 4, heads: 2, headSize: 32, hiddenFeatures: 128, channels: 128, neck: true };
  return { ...common, channels: [8, 16, 32, 64, 128], prior };
}

/**
 * The 2D student: a convolutional and a transformer encoder side by side, joined by cross-attention at the bottleneck,
 * one decoder, four heads (method section 1.1; affine instance norm stands for batch norm).
 *
 * @param image [N,1,H,W] float32, standardised intensities; H and W multiples of 16.
 * @param options.posterior [N,P,H/16,W/16], attended instead of the student's own prior (stage 1).
 * @param options.dropout masks of {@link dropoutShapes}, already scaled by 1/(1-p); absent: no dropout.
 */
export function probUnet2d(
  ops: Ops,
  parameters: Parameters,
  config: StudentConfig,
  image: Tensor,
  options: { readonly posterior?: Tensor; readonly dropout?: readonly Tensor[] } = {},
): StudentOutputs {
  requireImage(image.shape);
  const layers: Layers = { ops, parameters };
  const levels = convolutionalEncoder(layers, config, image, options.dropout);
  const { hidden, prior } = priorEncoder(layers, config.prior, patchSize, image);
  const bottleneck = crossAttention(layers, config.prior, levels.at(-1)!, options.posterior ?? prior);
  const features = decoder(layers, levels.slice(0, -1), bottleneck);
  return { ...headOutputs(layers, config, features), hidden, prior };
}

/** Shapes of the dropout masks for a batch, one for each encoder level. */
export function dropoutShapes(config: StudentConfig, batch: number, height: number, width: number): Shape[] {
  requireImage([batch, 1, height, width]);
  return config.channels.map((channels, level) => [batch, channels, height / 2 ** level, width / 2 ** level]);
}

/**
 * The served network. Input `image` [N,1,H,W]; outputs `probabilities` [N,C,H,W] and `entropy` [N,1,H,W], the Shannon
 * entropy over log C, in [0, 1].
 */
export function inferenceProgram(config: StudentConfig, batch: number, height: number, width: number): ForwardProgram {
  return {
    inputs: { image: [batch, 1, height, width] },
    build(ops, parameters, { image }) {
      const { logits } = probUnet2d(ops, parameters, config, image!);
      const probabilities = ops.softmax(logits, 1);
      const surprise = ops.mul(probabilities, ops.log(ops.add(probabilities, ops.scalar(1e-8))));
      const entropy = ops.mul(ops.sum(surprise, [1], true), ops.scalar(-1 / Math.log(config.classes)));
      return { probabilities, entropy };
    },
  };
}

function requireImage(shape: Shape): void {
  const [, channels, height, width] = shape;
  if (shape.length !== 4 || channels !== 1 || height! % patchSize !== 0 || width! % patchSize !== 0) {
    throw new RangeError(`student: image [${shape.join(',')}] is not [N,1,H,W] with H and W multiples of ${patchSize}`);
  }
}

function convolutionalEncoder(
  layers: Layers,
  config: StudentConfig,
  image: Tensor,
  dropout: readonly Tensor[] | undefined,
): Tensor[] {
  const levels: Tensor[] = [];
  for (const [level, channels] of config.channels.entries()) {
    const below = levels.at(-1);
    const x = below === undefined ? image : layers.ops.maxPool2(below);
    levels.push(block(layers, `encoder.${level}`, x, channels, dropout?.[level]));
  }
  return levels;
}

/** Twice convolution, norm and leaky ReLU; dropout between the two. */
function block(layers: Layers, name: string, x: Tensor, channels: number, dropout?: Tensor): Tensor {
  const { ops } = layers;
  const half = (input: Tensor, part: number): Tensor =>
    ops.leakyRelu(normedConvolution(layers, `${name}.${part}`, input, channels), 0.01);
  const first = half(x, 0);
  return half(dropout === undefined ? first : ops.mul(first, dropout), 1);
}

function normedConvolution(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  return norm(layers, `${name}.norm`, convolution(layers, `${name}.conv`, x, channels, { size: 3, normed: true }));
}

function decoder(layers: Layers, skips: readonly Tensor[], bottleneck: Tensor): Tensor {
  const { ops } = layers;
  let x = bottleneck;
  for (const [step, skip] of skips.toReversed().entries()) {
    const channels = skip.shape[1]!;
    const narrow = convolution(layers, `decoder.${step}.narrow`, x, channels, { size: 1 });
    x = block(layers, `decoder.${step}`, ops.concat([skip, ops.upsample2(narrow)], 1), channels);
  }
  return x;
}

/** Four 3x3 convolutions. They share one pass over the features; their mean is one convolution with mean kernels. */
function headOutputs(
  layers: Layers,
  config: StudentConfig,
  features: Tensor,
): Pick<StudentOutputs, 'heads' | 'logits'> {
  const { ops, parameters } = layers;
  const { classes } = config;
  const inputs = features.shape[1]!;
  const initial = { kind: 'uniform', bound: (9 * inputs) ** -0.5 } as const;
  const indices = Array.from({ length: headCount }, (_, head) => head);
  const kernels = indices.map((head) => parameters.get(`heads.${head}.weight`, [classes, inputs, 3, 3], initial));
  const biases = indices.map((head) => parameters.get(`heads.${head}.bias`, [classes], initial));
  const together = ops.conv(features, ops.concat(kernels, 0), ops.concat(biases, 0));
  const mean = (tensors: readonly Tensor[]): Tensor =>
    ops.mul(
      tensors.reduce((sum, tensor) => ops.add(sum, tensor)),
      ops.scalar(1 / headCount),
    );
  return {
    heads: indices.map((head) => ops.slice(together, 1, head * classes, (head + 1) * classes)),
    logits: ops.conv(features, mean(kernels), mean(biases)),
  };
}
