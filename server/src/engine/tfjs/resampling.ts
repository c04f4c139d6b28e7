import * as tf from '@tensorflow/tfjs-core';
import { interpolation } from '../interpolation.ts';
import type { Ops } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray } from './arrays.ts';
import { rowsTimes } from './products.ts';
import { sliced, transposed } from './shaping.ts';

/** Pooling and enlarging. */
export function resamplingOps(): Pick<Ops, 'maxPool2' | 'avgPool' | 'upsample2'> {
  return {
    // From the last axis to the first, so that of tied entries the first in row-major order gets the gradient.
    maxPool2: (x) => pooled(asArray(x), 2, (pairs) => tf.maximum(sliced(pairs, 1, 0, 1), sliced(pairs, 1, 1, 2))),
    avgPool: (x, factor) => pooled(asArray(x), factor, (cells) => tf.mean(cells, 1)),
    upsample2: (x) => upsample(asArray(x)),
  };
}

/** Pools [N,C,space...] one axis at a time; `pool` takes cells [L,factor,R] to one value each. */
function pooled(x: tf.Tensor, factor: number, pool: (cells: tf.Tensor) => tf.Tensor): tf.Tensor {
  const shape = [...x.shape];
  let y = x;
  for (let axis = shape.length - 1; axis >= 2; axis -= 1) {
    shape[axis]! /= factor;
    y = pool(tf.reshape(y, [sizeOf(shape.slice(0, axis + 1)), factor, sizeOf(shape.slice(axis + 1))]));
  }
  return tf.reshape(y, shape);
}

/** Both axes in the same way: interpolate along the last one, then swap the two. */
function upsample(x: tf.Tensor): tf.Tensor {
  const enlarged = (image: tf.Tensor): tf.Tensor => {
    const size = image.shape[3]!;
    const weights = tf.tensor2d(interpolation(size, false), [size, 2 * size]);
    return transposed(rowsTimes(image, weights), [0, 1, 3, 2]);
  };
  return enlarged(enlarged(x));
}
