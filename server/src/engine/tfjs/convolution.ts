import * as tf from '@tensorflow/tfjs-core';
import type { Ops } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray, broadcasting } from './arrays.ts';
import { plainConvolution } from './convolution-gradients.ts';
import { rowsTimes } from './products.ts';
import { transposed } from './shaping.ts';

/** Convolutions, strided and transposed ones. */
export function convolutionOps(): Pick<Ops, 'conv' | 'convDown' | 'convUp'> {
  return {
    conv: (x, weight, bias) => convolve(asArray(x), asArray(weight), bias && asArray(bias)),
    convDown: (x, weight, bias) => convolveDown(asArray(x), asArray(weight), bias && asArray(bias)),
    convUp: (x, weight, bias) => convolveUp(asArray(x), asArray(weight), bias && asArray(bias)),
  };
}

/** The kernels want channels last and a filter [k...,I,O]: here both are turned, and the result is turned back. */
function convolve(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const filter = transposed(weight, [...weight.shape.slice(2).map((_, axis) => axis + 2), 1, 0]);
  const image = channelsLast(x);
  const sums = plainConvolution(image, filter);
  return channelsFirst(bias === undefined ? sums : broadcasting(tf.add, sums, bias));
}

function channelsLast(x: tf.Tensor): tf.Tensor {
  return transposed(x, [0, ...x.shape.slice(2).map((_, axis) => axis + 2), 1]);
}

function channelsFirst(x: tf.Tensor): tf.Tensor {
  return transposed(x, [0, x.shape.length - 1, ...x.shape.slice(2).map((_, axis) => axis + 1)]);
}

/** Each window becomes a row of I k^s entries, then one product with the kernel as a matrix. */
function convolveDown(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [outputs, inputs, ...window] = weight.shape as [number, number, ...number[]];
  const batch = x.shape[0]!;
  const grid = x.shape.slice(2).map((size, axis) => size / window[axis]!);
  const rowLength = inputs * sizeOf(window);
  const columns = tf.reshape(windowsToChannels(x, window), [batch, rowLength, sizeOf(grid)]);
  const matrix = transposed(tf.reshape(weight, [outputs, rowLength]), [1, 0]);
  const sums = rowsTimes(transposed(columns, [0, 2, 1]), matrix);
  const shifted = bias === undefined ? sums : tf.add(sums, bias);
  return tf.reshape(transposed(shifted, [0, 2, 1]), [batch, outputs, ...grid]);
}

/** Each position gives O 2^s entries, which then take their places in the larger image. */
function convolveUp(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [inputs, outputs, ...window] = weight.shape as [number, number, ...number[]];
  const [batch, , ...grid] = x.shape as [number, number, ...number[]];
  const rows = transposed(tf.reshape(x, [batch, inputs, sizeOf(grid)]), [0, 2, 1]);
  const cells = rowsTimes(rows, tf.reshape(weight, [inputs, outputs * sizeOf(window)]));
  const image = channelsToWindows(transposed(cells, [0, 2, 1]), outputs, window, grid);
  return bias === undefined ? image : broadcasting(tf.add, image, tf.reshape(bias, [outputs, ...grid.map(() => 1)]));
}

/** [N,C,gk...] to [N,C k^s,g...], the window's axes behind the channel. One axis at a time: few axes suffice. */
function windowsToChannels(x: tf.Tensor, window: readonly number[]): tf.Tensor {
  const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
  const grid = space.map((size, axis) => size / window[axis]!);
  let y = x;
  for (const [axis, size] of window.entries()) {
    const lead = batch * channels * sizeOf(window.slice(0, axis));
    const cells = [lead, sizeOf(grid.slice(0, axis)), grid[axis]!, size, sizeOf(space.slice(axis + 1))];
    y = transposed(tf.reshape(y, cells), [0, 3, 1, 2, 4]);
  }
  return tf.reshape(y, [batch, channels * sizeOf(window), ...grid]);
}

/** The inverse of {@link windowsToChannels}: [N,C k^s,g...], in any reshape, to [N,C,gk...]. */
function channelsToWindows(
  x: tf.Tensor,
  channels: number,
  window: readonly number[],
  grid: readonly number[],
): tf.Tensor {
  const batch = x.shape[0]!;
  const space = grid.map((size, axis) => size * window[axis]!);
  let y = x;
  for (const [axis, size] of [...window.entries()].reverse()) {
    const lead = batch * channels * sizeOf(window.slice(0, axis));
    const cells = [lead, size, sizeOf(grid.slice(0, axis)), grid[axis]!, sizeOf(space.slice(axis + 1))];
    y = transposed(tf.reshape(y, cells), [0, 2, 3, 1, 4]);
  }
  return tf.reshape(y, [batch, channels, ...space]);
}
