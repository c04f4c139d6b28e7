import * as tf from '@tensorflow/tfjs-core';
import type { PointwiseOps, Tensor } from '../ops.ts';
import { asArray, broadcasting, detached, elementwise } from './arrays.ts';

/** The element-wise part of the vocabulary. */
export function pointwiseOps(): PointwiseOps {
  const binary =
    (operator: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
    (a: Tensor, b: Tensor): tf.Tensor =>
      broadcasting(operator, asArray(a), asArray(b));
  const unary =
    (operator: (x: tf.Tensor) => tf.Tensor) =>
    (x: Tensor): tf.Tensor =>
      elementwise(operator, asArray(x));
  const compare = (operator: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
    binary((a, b) => detached(() => tf.cast(operator(a, b), 'float32')));
  return {
    constant: (values, shape) => tf.tensor(Float32Array.from(values), [...shape], 'float32'),
    scalar: (value) => tf.scalar(value, 'float32'),
    add: binary(tf.add),
    sub: binary(tf.sub),
    mul: binary(tf.mul),
    div: binary(tf.div),
    maximum: binary(tf.maximum),
    neg: unary(tf.neg),
    exp: unary(tf.exp),
    log: unary(tf.log),
    sqrt: unary(tf.sqrt),
    square: unary(tf.square),
    sigmoid: unary(tf.sigmoid),
    relu: unary(tf.relu),
    leakyRelu: (x, slope) => elementwise((y) => tf.leakyRelu(y, slope), asArray(x)),
    gelu: unary(gelu),
    lessEqual: compare(tf.lessEqual),
    greater: compare(tf.greater),
    stopGradient: unary((x) => detached(() => tf.clone(x))),
  };
}

/** x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2. */
function gelu(x: tf.Tensor): tf.Tensor {
  const twice = tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1);
  return tf.mul(tf.mul(x, 0.5), twice);
}
