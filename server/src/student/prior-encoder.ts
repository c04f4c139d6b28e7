import type { Shape, Tensor } from '../engine/ops.ts';
import { type Layers, linear, product, tokenMap, tokenNorm, tokens } from './layers.ts';

/** Side of a patch, and the factor between image and bottleneck: every size of the space must be a multiple of it. */
export const patchSize = 16;

/** Sizes of the transformer encoder. */
export interface PriorSettings {
  /** Width of a token. */
  readonly features: number;
  readonly depth: number;
  readonly heads: number;
  readonly headSize: number;
  /** Width between the two linear layers of a block. */
  readonly hiddenFeatures: number;
  /** Channels of the prior features; without a neck, the width of a token. */
  readonly channels: number;
  /** A neck as in SAM brings the tokens to `channels`: the 2D student has one, the 3D one has not. */
  readonly neck: boolean;
}

/**
 * SimpleViT over patches (method section 1.1, 2 and 1.2): image [N,1,space...] to the token maps after each block
 * [N,F,space/16...] and the prior features [N,P,space/16...]. 2D or 3D by the image.
 */
export function priorEncoder(
  layers: Layers,
  settings: PriorSettings,
  image: Tensor,
): { readonly hidden: readonly Tensor[]; readonly prior: Tensor } {
  const { ops } = layers;
  const [batch, , ...space] = image.shape;
  const grid = space.map((size) => size / patchSize);
  const count = product(grid);
  const cells = ops.reshape(image, [batch!, ...grid.flatMap((size) => [size, patchSize])]);
  const gridAxesFirst = [0, ...grid.map((_, axis) => 1 + 2 * axis), ...grid.map((_, axis) => 2 + 2 * axis)];
  const patches = ops.reshape(ops.transpose(cells, gridAxesFirst), [batch!, count, patchSize ** grid.length]);
  const embedded = linear(layers, 'prior.embed', tokenNorm(layers, 'prior.patch-norm', patches), settings.features);
  const positions = ops.constant(sinCosPositions(grid, settings.features), [1, count, settings.features]);
  let x = ops.add(tokenNorm(layers, 'prior.embed-norm', embedded), positions);
  const hidden: Tensor[] = [];
  for (let index = 0; index < settings.depth; index += 1) {
    x = ops.add(x, selfAttention(layers, `prior.${index}`, settings, x));
    x = ops.add(x, feedForward(layers, `prior.${index}`, settings, x));
    hidden.push(tokenMap(ops, x, grid));
  }
  const last = tokenNorm(layers, 'prior.norm', x);
  return { hidden, prior: settings.neck ? neck(layers, settings, last, grid) : tokenMap(ops, last, grid) };
}

/** Throws a `RangeError` unless an image has one channel, `axes` axes of space, and falls into whole patches. */
export function requirePatches(shape: Shape, axes: 2 | 3): void {
  const [, channels, ...space] = shape;
  if (space.length === axes && channels === 1 && space.every((size) => size > 0 && size % patchSize === 0)) return;
  const letters = axes === 2 ? 'H,W' : 'D,H,W';
  throw new RangeError(`student: image [${shape.join(',')}] is not [N,1,${letters}] in multiples of ${patchSize}`);
}

/**
 * Fixed positions [T,F] of a grid, last axis fastest: sine and cosine of x, then of y, then of z where there is one, an
 * equal share of the features each, of frequencies 10000^(-k/(share-1)); features that are left over stay 0.
 *
 * @param grid [H,W] or [D,H,W].
 */
export function sinCosPositions(grid: readonly number[], features: number): Float32Array {
  const share = Math.floor(features / (2 * grid.length));
  if (share < 2) throw new RangeError(`sinCosPositions: ${features} features for ${grid.length} axes`);
  const count = product(grid);
  const positions = new Float32Array(count * features);
  for (let token = 0; token < count; token += 1) {
    let rest = token;
    for (const [part, size] of grid.toReversed().entries()) {
      const place = rest % size;
      rest = Math.floor(rest / size);
      const row = token * features + 2 * part * share;
      for (let k = 0; k < share; k += 1) {
        const frequency = 10000 ** (-k / (share - 1));
        positions[row + k] = Math.sin(place * frequency);
        positions[row + share + k] = Math.cos(place * frequency);
      }
    }
  }
  return positions;
}

function selfAttention(layers: Layers, name: string, settings: PriorSettings, x: Tensor): Tensor {
  const { ops } = layers;
  const { heads, headSize } = settings;
  const [batch, count] = x.shape;
  const inner = heads * headSize;
  const normed = tokenNorm(layers, `${name}.attention-norm`, x);
  const mapped = linear(layers, `${name}.query-key-value`, normed, 3 * inner, { bias: false });
  const [query, key, value] = [0, 1, 2].map((part) => {
    const tokensOfPart = ops.slice(mapped, 2, part * inner, (part + 1) * inner);
    return ops.transpose(ops.reshape(tokensOfPart, [batch!, count!, heads, headSize]), [0, 2, 1, 3]);
  });
  const scores = ops.mul(ops.matmul(query!, ops.transpose(key!, [0, 1, 3, 2])), ops.scalar(headSize ** -0.5));
  const attended = ops.transpose(ops.matmul(ops.softmax(scores, 3), value!), [0, 2, 1, 3]);
  const joined = ops.reshape(attended, [batch!, count!, inner]);
  return linear(layers, `${name}.attention-out`, joined, settings.features, { bias: false });
}

function feedForward(layers: Layers, name: string, settings: PriorSettings, x: Tensor): Tensor {
  const normed = tokenNorm(layers, `${name}.mlp-norm`, x);
  const wide = layers.ops.gelu(linear(layers, `${name}.mlp-in`, normed, settings.hiddenFeatures));
  return linear(layers, `${name}.mlp-out`, wide, settings.features);
}

/** 1x1 convolution (a linear layer on tokens), norm over channels, 3x3 convolution, norm over channels; no biases. */
function neck(layers: Layers, settings: PriorSettings, x: Tensor, grid: readonly number[]): Tensor {
  const { ops, parameters } = layers;
  const { channels } = settings;
  const epsilon = 1e-6;
  const projected = linear(layers, 'prior.neck.project', x, channels, { bias: false });
  const first = tokenNorm(layers, 'prior.neck.norm-0', projected, epsilon);
  const initial = { kind: 'uniform', bound: (9 * channels) ** -0.5 } as const;
  const kernel = parameters.get('prior.neck.conv.weight', [channels, channels, 3, 3], initial);
  const mixed = ops.conv(tokenMap(ops, first, grid), kernel);
  return tokenMap(ops, tokenNorm(layers, 'prior.neck.norm-1', tokens(ops, mixed), epsilon), grid);
}
