import type { Tensor } from '../engine/ops.ts';
import { type Layers, linear, tokenMap, tokenNorm, tokens } from './layers.ts';

/** Sizes of the transformer encoder. */
export interface PriorSettings {
  /** Width of a token. */
  readonly features: number;
  readonly depth: number;
  readonly heads: number;
  readonly headSize: number;
  /** Width between the two linear layers of a block. */
  readonly hiddenFeatures: number;
  /** Channels of the prior features. */
  readonly channels: number;
}

/**
 * SimpleViT with a neck as in SAM (method section 1.1, 2): image [N,1,H,W] to the token maps after each block
 * [N,F,H/p,W/p] and the prior features [N,P,H/p,W/p].
 */
export function priorEncoder(
  layers: Layers,
  settings: PriorSettings,
  patch: number,
  image: Tensor,
): { readonly hidden: readonly Tensor[]; readonly prior: Tensor } {
  const { ops } = layers;
  const [batch, , imageHeight, imageWidth] = image.shape;
  const [height, width] = [imageHeight! / patch, imageWidth! / patch];
  const cells = ops.reshape(image, [batch!, height, patch, width, patch]);
  const patches = ops.reshape(ops.transpose(cells, [0, 1, 3, 2, 4]), [batch!, height * width, patch * patch]);
  const embedded = linear(layers, 'prior.embed', tokenNorm(layers, 'prior.patch-norm', patches), settings.features);
  const positions = ops.constant(sinCosPositions(height, width, settings.features), [
    1,
    height * width,
    settings.features,
  ]);
  let x = ops.add(tokenNorm(layers, 'prior.embed-norm', embedded), positions);
  const hidden: Tensor[] = [];
  for (let index = 0; index < settings.depth; index += 1) {
    x = ops.add(x, selfAttention(layers, `prior.${index}`, settings, x));
    x = ops.add(x, feedForward(layers, `prior.${index}`, settings, x));
    hidden.push(tokenMap(ops, x, height, width));
  }
  return { hidden, prior: neck(layers, settings, tokenNorm(layers, 'prior.norm', x), height, width) };
}

/**
 * Fixed positions [H W, F]: sin x, cos x, sin y, cos y, a quarter of the features each, of frequencies
 * 10000^(-k/(F/4-1)).
 */
export function sinCosPositions(height: number, width: number, features: number): Float32Array {
  if (features % 4 !== 0 || features < 8) throw new RangeError(`sinCosPositions: ${features} features`);
  const quarter = features / 4;
  const positions = new Float32Array(height * width * features);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const row = (y * width + x) * features;
      for (let k = 0; k < quarter; k += 1) {
        const frequency = 10000 ** (-k / (quarter - 1));
        positions[row + k] = Math.sin(x * frequency);
        positions[row + quarter + k] = Math.cos(x * frequency);
        positions[row + 2 * quarter + k] = Math.sin(y * frequency);
        positions[row + 3 * quarter + k] = Math.cos(y * frequency);
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
function neck(layers: Layers, settings: PriorSettings, x: Tensor, height: number, width: number): Tensor {
  const { ops, parameters } = layers;
  const { channels } = settings;
  const epsilon = 1e-6;
  const projected = linear(layers, 'prior.neck.project', x, channels, { bias: false });
  const first = tokenNorm(layers, 'prior.neck.norm-0', projected, epsilon);
  const initial = { kind: 'uniform', bound: (9 * channels) ** -0.5 } as const;
  const kernel = parameters.get('prior.neck.conv.weight', [channels, channels, 3, 3], initial);
  const mixed = ops.conv(tokenMap(ops, first, height, width), kernel);
  return tokenMap(ops, tokenNorm(layers, 'prior.neck.norm-1', tokens(ops, mixed), epsilon), height, width);
}
