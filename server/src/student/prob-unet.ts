import type { Ops, Parameters, Shape, Tensor } from '../engine/ops.ts';
import { crossAttention } from './fusion.ts';
import { convolution, type Layers, norm } from './layers.ts';
import type { ForwardOptions, StudentOutputs } from './outputs.ts';
import { type PriorSettings, priorEncoder, requirePatches } from './prior-encoder.ts';

export type UnetVariant = 'full' | 'lite';

/** Sizes of a 2D Prob_UNet (README of `uncol`, method section 1). */
export interface UnetConfig {
  readonly variant: UnetVariant;
  /** Class 0 is the background. */
  readonly classes: number;
  /** Channels of the five encoder levels, full resolution first. */
  readonly channels: readonly [number, number, number, number, number];
  /** Dropout probability of each encoder level. */
  readonly dropout: readonly [number, number, number, number, number];
  readonly prior: PriorSettings;
}

const headCount = 4;
const levelDropout = [0.05, 0.1, 0.2, 0.3, 0.5] as const;

/** The two sizes in use: `full` as published, `lite` for machines without a GPU. */
export function unetConfig(variant: UnetVariant, classes: number): UnetConfig {
  if (!Number.isInteger(classes) || classes < 2) throw new RangeError(`unetConfig: ${classes} classes`);
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
 * @param options.dropout masks of {@link dropoutShapes}.
 */
export function probUnet2d(
  ops: Ops,
  parameters: Parameters,
  config: UnetConfig,
  image: Tensor,
  options: ForwardOptions = {},
): StudentOutputs {
  requirePatches(image.shape, 2);
  const layers: Layers = { ops, parameters };
  const levels = convolutionalEncoder(layers, config, image, options.dropout);
  const { hidden, prior } = priorEncoder(layers, config.prior, image);
  const bottleneck = crossAttention(layers, config.prior, levels.at(-1)!, options.posterior ?? prior);
  const features = decoder(layers, levels.slice(0, -1), bottleneck);
  return { ...headOutputs(layers, config, features), hidden, prior };
}

/** Shapes [N,C,H,W] of the dropout masks for a batch, one for each encoder level; `space` is [H,W]. */
export function dropoutShapes(config: UnetConfig, batch: number, space: Shape): Shape[] {
  requirePatches([batch, 1, ...space], 2);
  return config.channels.map((channels, level) => [batch, channels, ...space.map((size) => size / 2 ** level)]);
}

function convolutionalEncoder(
  layers: Layers,
  config: UnetConfig,
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
function headOutputs(layers: Layers, config: UnetConfig, features: Tensor): Pick<StudentOutputs, 'heads' | 'logits'> {
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
