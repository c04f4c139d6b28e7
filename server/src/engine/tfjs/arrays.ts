import * as tf from '@tensorflow/tfjs-core';
import type { Shape, Tensor } from '../ops.ts';
import { sizeOf } from '../shapes.ts';

/** The array behind a tensor of this reading; anything else is a mistake of the caller. */
export function asArray(tensor: Tensor): tf.Tensor {
  if (!(tensor instanceof tf.Tensor)) throw new TypeError('This tensor belongs to another reading of the vocabulary.');
  return tensor;
}

/** What an operation with a gradient of its own computes forward: its value, and what its gradient needs. */
interface Forward {
  readonly value: tf.Tensor;
  readonly saved: readonly tf.Tensor[];
}

/**
 * An operation with a gradient of its own.
 *
 * @param backward from the gradient of the value, and what was saved, to one gradient for each input.
 */
export function withGradient(
  inputs: readonly tf.Tensor[],
  forward: () => Forward,
  backward: (dy: tf.Tensor, saved: readonly tf.Tensor[]) => tf.Tensor[],
): tf.Tensor {
  return tf.customGrad((...given) => {
    const save = given.at(-1) as tf.GradSaveFunc;
    const { value, saved } = forward();
    save([...saved]);
    return { value, gradFunc: backward };
  })(...inputs);
}

/** A value through which no gradient flows: to the tape, an operation without inputs. */
export function detached(compute: () => tf.Tensor): tf.Tensor {
  return withGradient(
    [],
    () => ({ value: compute(), saved: [] }),
    () => [],
  );
}

/**
 * Sums a gradient over the axes along which an operand of `shape` was repeated. Always a tensor of its own: the tape
 * frees what it adds up.
 */
export function unbroadcast(gradient: tf.Tensor, shape: Shape): tf.Tensor {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => (axis < lead || shape[axis - lead] !== size ? [axis] : []));
  return tf.reshape(axes.length === 0 ? gradient : tf.sum(gradient, axes), [...shape]);
}

/** Axes up to which every kernel of every backend holds what it promises. */
const safeAxes = 4;

/** An element-wise operator on an array of any rank. */
export function elementwise(operator: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor {
  return x.rank <= safeAxes ? operator(x) : tf.reshape(operator(tf.reshape(x, [x.size])), x.shape);
}

/**
 * An element-wise operator on two arrays of any rank. WebGPU kernels repeat an operand along four axes at most; wasm
 * kernels compute nonsense beyond six.
 */
export function broadcasting(
  operator: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  a: tf.Tensor,
  b: tf.Tensor,
): tf.Tensor {
  if (Math.max(a.rank, b.rank) <= safeAxes) return operator(a, b);
  const { left, right } = sharedAxes(a.shape, b.shape);
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  return tf.reshape(operator(tf.reshape(a, left), tf.reshape(b, right)), shape);
}

/** The shapes of two operands with neighbouring axes made one where the same operand, or none, is repeated. */
function sharedAxes(a: Shape, b: Shape): { left: number[]; right: number[] } {
  const rank = Math.max(a.length, b.length);
  const sizes = Array.from({ length: rank }, (_, axis) => {
    const [left, right] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    return { left, right, kind: left === right ? 'none' : left === 1 ? 'left' : 'right' };
  });
  const runs = runsOf(sizes.map(({ kind }) => kind));
  const product = (side: 'left' | 'right'): number[] =>
    runs.map(([start, end]) => sizeOf(sizes.slice(start, end).map((size) => size[side])));
  return { left: product('left'), right: product('right') };
}

/** Where equal neighbours start and end. */
export function runsOf(kinds: readonly unknown[]): [start: number, end: number][] {
  const starts = kinds.flatMap((kind, index) => (index === 0 || kind !== kinds[index - 1] ? [index] : []));
  return starts.map((start, index) => [start, starts[index + 1] ?? kinds.length]);
}
