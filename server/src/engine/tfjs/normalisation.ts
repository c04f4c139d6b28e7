import * as tf from '@tensorflow/tfjs-core';
import type { Ops } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray, withGradient } from './arrays.ts';

/** Norms; the scale and the bias are applied outside of the one operation that both share. */
export function normalisationOps(): Pick<Ops, 'instanceNorm' | 'layerNorm'> {
  return {
    instanceNorm: (x, scale, bias) => {
      const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
      const unit = standardised(tf.reshape(asArray(x), [batch * channels, sizeOf(space)]), 1e-5);
      if (scale === undefined || bias === undefined) return tf.reshape(unit, [...x.shape]);
      const column = (vector: tf.Tensor): tf.Tensor => tf.reshape(vector, [channels, 1]);
      const cube = tf.reshape(unit, [batch, channels, sizeOf(space)]);
      const affine = tf.add(tf.mul(cube, column(asArray(scale))), column(asArray(bias)));
      return tf.reshape(affine, [...x.shape]);
    },
    layerNorm: (x, scale, bias, epsilon = 1e-5) => {
      const width = x.shape.at(-1)!;
      const unit = standardised(tf.reshape(asArray(x), [sizeOf(x.shape) / width, width]), epsilon);
      return tf.reshape(tf.add(tf.mul(unit, asArray(scale)), asArray(bias)), [...x.shape]);
    },
  };
}

/** Rows [R,L] of mean 0 and variance 1. dx = (dy - mean(dy) - unit mean(dy unit)) / std, the means over L. */
function standardised(rows: tf.Tensor, epsilon: number): tf.Tensor {
  const mean = (x: tf.Tensor): tf.Tensor => tf.mean(x, 1, true);
  return withGradient(
    [rows],
    () => {
      const centred = tf.sub(rows, mean(rows));
      const inverse = tf.rsqrt(tf.add(mean(tf.square(centred)), epsilon));
      const unit = tf.mul(centred, inverse);
      return { value: unit, saved: [unit, inverse] };
    },
    (dy, [unit, inverse]) => {
      const pull = tf.mul(unit!, mean(tf.mul(dy, unit!)));
      return [tf.mul(tf.sub(tf.sub(dy, mean(dy)), pull), inverse!)];
    },
  );
}
