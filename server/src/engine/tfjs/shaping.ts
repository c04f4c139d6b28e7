import * as tf from '@tensorflow/tfjs-core';
import type { ShapingOps } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray, detached, runsOf } from './arrays.ts';

/** Axes that a WebGPU kernel can address. */
const mostAxes = 6;

/** The part of the vocabulary that moves, joins and reduces axes. */
export function shapingOps(): ShapingOps {
  return {
    reshape: (x, shape) => tf.reshape(asArray(x), [...shape]),
    transpose: (x, permutation) => transposed(asArray(x), permutation),
    concat: (xs, axis) => (xs.length === 1 ? asArray(xs[0]!) : concatenated(xs.map(asArray), axis)),
    slice: (x, axis, start, end) => sliced(asArray(x), axis, start, end),
    sum: (x, axes, keepDims) => reduced(tf.sum, asArray(x), axes && [...axes], keepDims),
    mean: (x, axes, keepDims) => reduced(tf.mean, asArray(x), axes && [...axes], keepDims),
    softmax: (x, axis) => {
      const { powers, mass } = powersAlong(asArray(x), axis);
      return tf.reshape(tf.div(powers, mass), [...x.shape]);
    },
    logSoftmax: (x, axis) => {
      const { shifted, mass } = powersAlong(asArray(x), axis);
      return tf.reshape(tf.sub(shifted, tf.log(mass)), [...x.shape]);
    },
    oneHotArgmax: (x, axis) => detached(() => firstLargest(asArray(x), axis)),
  };
}

/** Transpose; `permutation[i]` is the input axis that becomes axis i. Any number of axes. */
export function transposed(x: tf.Tensor, permutation: readonly number[]): tf.Tensor {
  if (permutation.length <= mostAxes) return tf.transpose(x, [...permutation]);
  // One axis after the other is brought to its place: four axes then say all, what lies before, between and behind.
  let y = x;
  const order = permutation.map((_, axis) => axis);
  for (const [to, axis] of permutation.entries()) {
    const from = order.indexOf(axis);
    if (from === to) continue;
    const sizeOfAxes = (start: number, end?: number): number => sizeOf(order.slice(start, end).map((i) => x.shape[i]!));
    const blocks = [sizeOfAxes(0, to), sizeOfAxes(to, from), x.shape[axis]!, sizeOfAxes(from + 1)];
    y = tf.transpose(tf.reshape(y, blocks), [0, 2, 1, 3]);
    order.splice(from, 1);
    order.splice(to, 0, axis);
  }
  return tf.reshape(
    y,
    permutation.map((axis) => x.shape[axis]!),
  );
}

/** Entries [start, end) along `axis`; what lies before and behind it counts as one axis each. */
export function sliced(x: tf.Tensor, axis: number, start: number, end: number): tf.Tensor {
  const count = end - start;
  const [lead, size, rest] = around(x.shape, axis);
  const cut = tf.slice(tf.reshape(x, [lead, size, rest]), [0, start, 0], [lead, count, rest]);
  return tf.reshape(cut, x.shape.with(axis, count));
}

function concatenated(xs: readonly tf.Tensor[], axis: number): tf.Tensor {
  const blocks = xs.map((x): tf.Tensor3D => tf.reshape(x, around(x.shape, axis)));
  const total = blocks.reduce((sum, block) => sum + block.shape[1], 0);
  return tf.reshape(tf.concat(blocks, 1), xs[0]!.shape.with(axis, total));
}

/** Sizes before, along and behind an axis. */
function around(shape: number[], axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}

type Reduction = (x: tf.Tensor, axes: number[]) => tf.Tensor;

/** Neighbouring axes count as one where both are reduced, or neither is. */
function reduced(
  reduction: Reduction,
  x: tf.Tensor,
  axes = x.shape.map((_, axis) => axis),
  keepDims = false,
): tf.Tensor {
  const isReduced = x.shape.map((_, axis) => axes.includes(axis));
  const runs = runsOf(isReduced);
  const merged = tf.reshape(
    x,
    runs.map(([start, end]) => sizeOf(x.shape.slice(start, end))),
  );
  const over = runs.flatMap(([start], index) => (isReduced[start] ? [index] : []));
  const answer = over.length === 0 ? merged : reduction(merged, over);
  const shape = x.shape.flatMap((size, axis) => (isReduced[axis] ? (keepDims ? [1] : []) : [size]));
  return tf.reshape(answer, shape);
}

/** exp(x - max) and its sum along `axis`, which stays as an axis of size 1. TensorFlow.js knows the last axis only. */
function powersAlong(x: tf.Tensor, axis: number): { shifted: tf.Tensor; powers: tf.Tensor; mass: tf.Tensor } {
  const block = tf.reshape(x, around(x.shape, axis));
  const most = detached(() => tf.max(block, 1, true));
  const shifted = tf.sub(block, most);
  const powers = tf.exp(shifted);
  return { shifted, powers, mass: tf.sum(powers, 1, true) };
}

/** Kernels differ in which of tied entries is the largest, so each gets a rank, the highest for the first. */
function firstLargest(x: tf.Tensor, axis: number): tf.Tensor {
  const depth = x.shape[axis]!;
  const block = tf.reshape(x, around(x.shape, axis));
  const falling = Float32Array.from({ length: depth }, (_, index) => depth - index);
  const isLargest = tf.cast(tf.equal(block, tf.max(block, 1, true)), 'float32');
  const rank = tf.mul(isLargest, tf.tensor(falling, [depth, 1]));
  return tf.reshape(tf.cast(tf.equal(rank, tf.max(rank, 1, true)), 'float32'), x.shape);
}
