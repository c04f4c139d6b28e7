import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../shapes.ts';

/** A convolution with odd kernel, stride 1 and "same" padding: x [N,space...,I], filter [k...,I,O] to [N,space...,O]. */
export function plainConvolution(x: tf.Tensor, filter: tf.Tensor): tf.Tensor {
  return x.shape.length === 5
    ? tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, 1, 'same')
    : tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same');
}

/**
 * The gradient of {@link plainConvolution} with respect to x: a convolution of dy with the filter flipped in space and
 * its channel axes swapped. The wasm backend's own kernel for it is wrong in three dimensions.
 */
export function inputGradient(dy: tf.Tensor, filter: tf.Tensor): tf.Tensor {
  const window = filter.shape.slice(0, -2);
  const [inputs, outputs] = filter.shape.slice(-2) as [number, number];
  // To reverse every axis of a box is to reverse its entries, row-major: few axes, as the WebGPU kernel wants.
  const taps = tf.reverse(tf.reshape(filter, [sizeOf(window), inputs, outputs]), 0);
  const flipped = tf.reshape(tf.transpose(taps, [0, 2, 1]), [...window, outputs, inputs]);
  return plainConvolution(dy, flipped);
}

/**
 * dF[k...,i,o] = sum over n and positions r of dy[n,r,o] x[n,r+k-p,i], zero outside the image: the gradient of
 * {@link plainConvolution} with respect to its filter.
 *
 * @param x [N,space...,I]
 * @param dy [N,space...,O]
 * @param shape [k...,I,O]
 */
export function filterGradient(x: tf.Tensor, dy: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const kernel = x.shape.length === 5 ? 'Conv3DBackpropFilterV2' : 'Conv2DBackpropFilter';
  const backend = tf.getBackend();
  // In two dimensions the wasm backend has no such kernel.
  if (tf.getKernel(kernel, backend) === undefined) return byProducts(x, dy, shape);
  const attributes = { strides: 1, pad: 'same', dataFormat: 'NHWC', filterShape: [...shape] };
  return tf.engine().runKernel(kernel, { x, dy }, attributes);
}

/** One product for each k. */
function byProducts(x: tf.Tensor, dy: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const window = shape.slice(0, -2);
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  const halo = window.map((size): [number, number] => [(size - 1) / 2, (size - 1) / 2]);
  const image = tf.pad(x, [[0, 0], ...halo, [0, 0]]);
  const rows: tf.Tensor2D = tf.reshape(dy, [sizeOf(dy.shape) / outputs, outputs]);
  const taps = Array.from({ length: sizeOf(window) }, (_, tap) => {
    const shifted = tf.slice(image, [0, ...positionOf(tap, window), 0], x.shape);
    return tf.matMul(tf.reshape(shifted, [sizeOf(dy.shape) / outputs, inputs]) as tf.Tensor2D, rows, true);
  });
  return tf.reshape(tf.stack(taps), [...shape]);
}

/** Where entry `index` lies in a row-major box of these sizes. */
function positionOf(index: number, sizes: readonly number[]): number[] {
  let rest = index;
  return sizes
    .toReversed()
    .map((size) => {
      const position = rest % size;
      rest = Math.floor(rest / size);
      return position;
    })
    .reverse();
}
