import type { Ops, Parameters, Tensor } from '../engine/ops.ts';

/** What every layer needs: the vocabulary and the parameters of the network. */
export interface Layers {
  readonly ops: Ops;
  readonly parameters: Parameters;
}

/**
 * Convolution, with bias unless told otherwise, over the space of x, 2D or 3D; weight [O,I,k...]. Both start uniform in +-1/sqrt(fan in).
 *
 * @param options.normed an instance norm follows, which takes the bias out again: its gradient is exactly zero, so none
 * is computed (rounding noise, scaled up by AdamW, would move it).
 */
export function convolution(
  { ops, parameters }: Layers,
  name: string,
  x: Tensor,
  channels: number,
  options: { readonly size: 1 | 3; readonly normed?: boolean; readonly bias?: boolean },
): Tensor {
  const { size, normed = false } = options;
  const [, inputs, ...space] = x.shape;
  const kernel = space.map(() => size);
  const initial = { kind: 'uniform', bound: (inputs! * size ** space.length) ** -0.5 } as const;
  const weight = parameters.get(`${name}.weight`, [channels, inputs!, ...kernel], initial);
  if (options.bias === false) return ops.conv(x, weight);
  const bias = parameters.get(`${name}.bias`, [channels], initial);
  return ops.conv(x, weight, normed ? ops.stopGradient(bias) : bias);
}

/** Affine instance norm of [N,C,H,W]. */
export function norm({ ops, parameters }: Layers, name: string, x: Tensor): Tensor {
  const channels = x.shape[1]!;
  const scale = parameters.get(`${name}.scale`, [channels], { kind: 'ones' });
  return ops.instanceNorm(x, scale, parameters.get(`${name}.bias`, [channels], { kind: 'zeros' }));
}

/** Affine layer norm of tokens [N,T,F] over F. */
export function tokenNorm({ ops, parameters }: Layers, name: string, x: Tensor, epsilon = 1e-5): Tensor {
  const features = x.shape.at(-1)!;
  const scale = parameters.get(`${name}.scale`, [features], { kind: 'ones' });
  return ops.layerNorm(x, scale, parameters.get(`${name}.bias`, [features], { kind: 'zeros' }), epsilon);
}

/** Linear layer on tokens [N,T,F]; weight [F,O], applied from the right. */
export function linear(
  { ops, parameters }: Layers,
  name: string,
  x: Tensor,
  features: number,
  options: { readonly bias?: boolean } = {},
): Tensor {
  const inputs = x.shape.at(-1)!;
  const initial = { kind: 'uniform', bound: inputs ** -0.5 } as const;
  const mapped = ops.matmul(x, parameters.get(`${name}.weight`, [inputs, features], initial));
  return options.bias === false ? mapped : ops.add(mapped, parameters.get(`${name}.bias`, [features], initial));
}

/** [N,C,space...] to tokens [N,T,C], T positions of the space, row-major. */
export function tokens(ops: Ops, x: Tensor): Tensor {
  const [batch, channels, ...space] = x.shape;
  return ops.transpose(ops.reshape(x, [batch!, channels!, product(space)]), [0, 2, 1]);
}

/** The inverse of {@link tokens}. */
export function tokenMap(ops: Ops, x: Tensor, space: readonly number[]): Tensor {
  const [batch, , channels] = x.shape;
  return ops.reshape(ops.transpose(x, [0, 2, 1]), [batch!, channels!, ...space]);
}

/** How many elements an array of these sizes has. */
export function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
