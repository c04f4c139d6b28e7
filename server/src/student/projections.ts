import type { Tensor } from '../engine/ops.ts';
import { convolution, type Layers } from './layers.ts';

/**
 * P: a hidden map of the generalized teacher in the student's features, a 1x1 convolution that all maps share (method
 * section 1.1, 6). Needed for training alone.
 *
 * @param map [N,K,space...], on the student's token grid.
 */
export function projectHidden(layers: Layers, map: Tensor, features: number): Tensor {
  return convolution(layers, 'projections.hidden', map, features, { size: 1, bias: hasBias(map) });
}

/**
 * F_post: the teacher's prompt-conditioned embeddings of all foreground classes as features that the decoder can attend
 * to in place of the prior, a 1x1 convolution. Needed for training alone.
 *
 * @param embeddings [N,(C-1)*K,space...], on the student's token grid.
 */
export function alignSemantic(layers: Layers, embeddings: Tensor, channels: number): Tensor {
  return convolution(layers, 'projections.semantic', embeddings, channels, { size: 1, bias: hasBias(embeddings) });
}

/** As published: in 2D there is a bias, in 3D there is none. */
function hasBias(x: Tensor): boolean {
  return x.shape.length === 4;
}
