import type { Ops, Parameters, Tensor } from '../engine/ops.ts';
import { crossAttention } from './fusion.ts';
import { convolution, type Layers } from './layers.ts';
import type { ForwardOptions, StudentOutputs } from './outputs.ts';
import { type PriorSettings, priorEncoder, requirePatches } from './prior-encoder.ts';

export type VnetVariant = 'full' | 'lite' | 'tiny';

/** Sizes of a 3D Prob_VNet (method section 1.2). */
export interface VnetConfig {
  readonly variant: VnetVariant;
  /** Class 0 is the background. */
  readonly classes: number;
  /** Channels at full resolution; every level below has twice as many. */
  readonly filters: number;
  readonly prior: PriorSettings;
}

/** Convolutions of each level, full resolution first, on the way down and on the way up. */
const downDepths = [1, 2, 3, 3, 3] as const;
const upDepths = [2, 3, 3] as const;
const headCount = 4;

/** The sizes in use: `full` as published, `lite` for machines without a GPU, `tiny` for tests. */
export function vnetConfig(variant: VnetVariant, classes: number): VnetConfig {
  if (!Number.isInteger(classes) || classes < 2) throw new RangeError(`vnetConfig: ${classes} classes`);
  const [filters, heads, headSize, hiddenFeatures] = (
    { full: [16, 4, 64, 1024], lite: [8, 2, 64, 256], tiny: [4, 2, 32, 128] } as const
  )[variant];
  const features = 16 * filters;
  const prior = { features, depth: 4, heads, headSize, hiddenFeatures, channels: features, neck: false };
  return { variant, classes, filters, prior };
}

/**
 * The 3D student: a V-Net and a transformer encoder side by side, joined by cross-attention at the bottleneck, one
 * decoder with additive skips, four heads. Instance norms have no scale and bias, as published.
 *
 * @param image [N,1,D,H,W] float32, standardised intensities; D, H and W multiples of 16.
 */
export function probVnet3d(
  ops: Ops,
  parameters: Parameters,
  config: VnetConfig,
  image: Tensor,
  options: Pick<ForwardOptions, 'posterior'> = {},
): StudentOutputs {
  requirePatches(image.shape, 3);
  const layers: Layers = { ops, parameters };
  const levels = encoder(layers, config, image);
  const { hidden, prior } = priorEncoder(layers, config.prior, image);
  const bottleneck = crossAttention(layers, config.prior, levels.at(-1)!, options.posterior ?? prior);
  const features = decoder(layers, levels.slice(0, -1), bottleneck);
  return { ...headOutputs(layers, config, features), hidden, prior };
}

function encoder(layers: Layers, { filters }: VnetConfig, image: Tensor): Tensor[] {
  const levels: Tensor[] = [];
  for (const [level, depth] of downDepths.entries()) {
    const below = levels.at(-1);
    const channels = filters * 2 ** level;
    const x = below === undefined ? image : halve(layers, `encoder.${level}.down`, below, channels);
    levels.push(block(layers, `encoder.${level}`, x, channels, depth));
  }
  return levels;
}

function decoder(layers: Layers, skips: readonly Tensor[], bottleneck: Tensor): Tensor {
  const { ops } = layers;
  let x = bottleneck;
  for (const [step, skip] of skips.toReversed().entries()) {
    x = ops.add(double(layers, `decoder.${step}.up`, x, skip.shape[1]!), skip);
    // At full resolution each head has its own convolution instead.
    const depth = upDepths[upDepths.length - 1 - step] ?? 0;
    x = block(layers, `decoder.${step}`, x, skip.shape[1]!, depth);
  }
  return x;
}

/** `depth` times convolution, norm and ReLU. */
function block(layers: Layers, name: string, x: Tensor, channels: number, depth: number): Tensor {
  let y = x;
  for (let index = 0; index < depth; index += 1) {
    y = normed(layers, convolution(layers, `${name}.${index}`, y, channels, { size: 3, normed: true }));
  }
  return y;
}

function normed({ ops }: Layers, x: Tensor): Tensor {
  return ops.relu(ops.instanceNorm(x));
}

/** Half the size: kernel 2, stride 2. */
function halve(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  const { ops, parameters } = layers;
  const inputs = x.shape[1]!;
  const initial = { kind: 'uniform', bound: (8 * inputs) ** -0.5 } as const;
  const weight = parameters.get(`${name}.weight`, [channels, inputs, 2, 2, 2], initial);
  // The norm after it takes the bias out again (layers.ts).
  const bias = ops.stopGradient(parameters.get(`${name}.bias`, [channels], initial));
  return normed(layers, ops.convDown(x, weight, bias));
}

/** Twice the size: transposed, kernel 2, stride 2. */
function double(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  const { ops, parameters } = layers;
  const initial = { kind: 'uniform', bound: (8 * channels) ** -0.5 } as const;
  const weight = parameters.get(`${name}.weight`, [x.shape[1]!, channels, 2, 2, 2], initial);
  const bias = ops.stopGradient(parameters.get(`${name}.bias`, [channels], initial));
  return normed(layers, ops.convUp(x, weight, bias));
}

/**
 * Four heads, each a normed 3x3x3 convolution and a 1x1x1 one. The first convolutions share one pass over the features,
 * and the mean of the logits is one 1x1x1 convolution over all of them.
 */
function headOutputs(
  layers: Layers,
  { classes, filters }: VnetConfig,
  features: Tensor,
): Pick<StudentOutputs, 'heads' | 'logits'> {
  const { ops, parameters } = layers;
  const indices = Array.from({ length: headCount }, (_, head) => head);
  const wide = { kind: 'uniform', bound: (27 * filters) ** -0.5 } as const;
  const narrow = { kind: 'uniform', bound: filters ** -0.5 } as const;
  const rows = indices.map((head) => ({
    kernel: parameters.get(`heads.${head}.0.weight`, [filters, filters, 3, 3, 3], wide),
    kernelBias: parameters.get(`heads.${head}.0.bias`, [filters], wide),
    weight: parameters.get(`heads.${head}.1.weight`, [classes, filters, 1, 1, 1], narrow),
    bias: parameters.get(`heads.${head}.1.bias`, [classes], narrow),
  }));
  const joined = (key: keyof (typeof rows)[number], axis: number): Tensor =>
    ops.concat(
      rows.map((row) => row[key]),
      axis,
    );
  const all = normed(layers, ops.conv(features, joined('kernel', 0), ops.stopGradient(joined('kernelBias', 0))));
  const quarter = ops.scalar(1 / headCount);
  const biasSum = rows.map(({ bias }) => bias).reduce((sum, bias) => ops.add(sum, bias));
  return {
    heads: rows.map(({ weight, bias }, head) =>
      ops.conv(ops.slice(all, 1, head * filters, (head + 1) * filters), weight, bias),
    ),
    logits: ops.conv(all, ops.mul(joined('weight', 1), quarter), ops.mul(biasSum, quarter)),
  };
}
