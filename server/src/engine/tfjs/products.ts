import * as tf from '@tensorflow/tfjs-core';
import type { Ops } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray } from './arrays.ts';

/** Matrix products. */
export function productOps(): Pick<Ops, 'matmul'> {
  return {
    matmul: (left, right) => {
      const [a, b] = [asArray(left), asArray(right)];
      if (b.shape.length === 2) return rowsTimes(a, b);
      return tf.matMul(a, b);
    },
  };
}

/** One matrix [K,M] for all rows [...,K] of x: one product, [...,M]. */
export function rowsTimes(x: tf.Tensor, matrix: tf.Tensor): tf.Tensor {
  const [inner, columns] = matrix.shape as [number, number];
  const rows: tf.Tensor2D = tf.reshape(x, [sizeOf(x.shape) / inner, inner]);
  return tf.reshape(tf.matMul(rows, matrix as tf.Tensor2D), [...x.shape.slice(0, -1), columns]);
}
