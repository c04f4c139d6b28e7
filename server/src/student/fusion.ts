import type { Tensor } from '../engine/ops.ts';
import { type Layers, linear, tokens } from './layers.ts';
import type { PriorSettings } from './prior-encoder.ts';

/**
 * Attention of the convolutional tokens over the prior's (or the posterior's), added to them. One head over all channels:
 * the number of heads only sets the scale, as in the published code (method section 1.1, 3).
 *
 * @param bottleneck [N,P,space...]
 * @param prior [N,P,space...]
 */
export function crossAttention(
  layers: Layers,
  { channels, heads }: Pick<PriorSettings, 'channels' | 'heads'>,
  bottleneck: Tensor,
  prior: Tensor,
): Tensor {
  const { ops } = layers;
  const [queries, memory] = [tokens(ops, bottleneck), tokens(ops, prior)];
  const query = linear(layers, 'fusion.query', queries, channels);
  const key = linear(layers, 'fusion.key', memory, channels);
  const value = linear(layers, 'fusion.value', memory, channels);
  const scores = ops.mul(ops.matmul(query, ops.transpose(key, [0, 2, 1])), ops.scalar((channels / heads) ** -0.5));
  const attended = linear(layers, 'fusion.out', ops.matmul(ops.softmax(scores, 2), value), channels);
  return ops.reshape(ops.transpose(ops.add(queries, attended), [0, 2, 1]), bottleneck.shape);
}
