import * as tf from '@tensorflow/tfjs-core';
import { unbroadcast } from './arrays.ts';
import { filterGradient, inputGradient } from './convolution-gradients.ts';
import { transposed } from './shaping.ts';

/** From the gradient of a kernel's output to one function for each input, asked only where a gradient is needed. */
type Backward = (
  dy: tf.Tensor,
  saved: readonly tf.Tensor[],
  attributes: tf.NamedAttrMap,
) => Readonly<Record<string, () => tf.Tensor>>;

/**
 * Teaches TensorFlow.js's tape the kernels that the vocabulary uses: the core package knows none. A native package
 * brings gradients of its own, of which some forget broadcasting, so this is done after a backend is opened.
 */
export function registerGradients(): void {
  for (const [kernelName, backward] of Object.entries(ofOperands)) register(kernelName, backward, ['a', 'b'], false);
  for (const [kernelName, backward] of Object.entries(ofInput)) register(kernelName, backward, ['x'], false);
  for (const [kernelName, backward] of Object.entries(ofNothing)) register(kernelName, backward, [], false);
  for (const [kernelName, backward] of Object.entries(ofOutput)) register(kernelName, backward, [], true);
  for (const kernelName of ['Conv2D', 'Conv3D']) register(kernelName, convolution, ['x', 'filter'], false);
  tf.registerGradient({ kernelName: 'Concat', saveAllInputs: true, gradFunc: concatenation });
}

function register(kernelName: string, backward: Backward, inputsToSave: string[], savesOutput: boolean): void {
  const gradFunc: tf.GradFunc = (dy, saved, attributes) => backward(dy as tf.Tensor, saved, attributes);
  tf.registerGradient({ kernelName, inputsToSave, outputsToSave: [savesOutput], gradFunc });
}

/** Kernels of two operands a and b, both saved. */
const ofOperands: Readonly<Record<string, Backward>> = {
  Add: (dy, [a, b]) => ({ a: () => unbroadcast(dy, a!.shape), b: () => unbroadcast(dy, b!.shape) }),
  Sub: (dy, [a, b]) => ({ a: () => unbroadcast(dy, a!.shape), b: () => unbroadcast(tf.neg(dy), b!.shape) }),
  Multiply: (dy, [a, b]) => ({
    a: () => unbroadcast(tf.mul(dy, b!), a!.shape),
    b: () => unbroadcast(tf.mul(dy, a!), b!.shape),
  }),
  RealDiv: (dy, [a, b]) => ({
    a: () => unbroadcast(tf.div(dy, b!), a!.shape),
    b: () => unbroadcast(tf.neg(tf.div(tf.mul(dy, tf.div(a!, b!)), b!)), b!.shape),
  }),
  // The gradient goes to the larger one, to a on ties.
  Maximum: (dy, [a, b]) => ({
    a: () => unbroadcast(tf.mul(dy, tf.cast(tf.greaterEqual(a!, b!), 'float32')), a!.shape),
    b: () => unbroadcast(tf.mul(dy, tf.cast(tf.less(a!, b!), 'float32')), b!.shape),
  }),
  BatchMatMul: (dy, [a, b]) => ({
    a: () => unbroadcast(tf.matMul(dy, b!, false, true), a!.shape),
    b: () => unbroadcast(tf.matMul(a!, dy, true, false), b!.shape),
  }),
};

/** Kernels of one operand x, which is saved. */
const ofInput: Readonly<Record<string, Backward>> = {
  Log: (dy, [x]) => ({ x: () => tf.div(dy, x!) }),
  Square: (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(x!, 2)) }),
  Erf: (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x!))), 2 / Math.sqrt(Math.PI))) }),
  Sum: (dy, [x], attributes) => ({ x: () => spread(dy, x!, attributes, 1) }),
  Mean: (dy, [x], attributes) => ({ x: () => spread(dy, x!, attributes, dy.size / x!.size) }),
  Reshape: (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) }),
  Slice: (dy, [x], { begin }) => ({
    x: () => {
      const before = begin as number[];
      const margins = before.map((start, axis): [number, number] => [start, x!.shape[axis]! - start - dy.shape[axis]!]);
      return tf.pad(dy, margins);
    },
  }),
};

/** Kernels of one operand x whose gradient needs neither it nor the output. */
const ofNothing: Readonly<Record<string, Backward>> = {
  Identity: (dy) => ({ x: () => tf.clone(dy) }),
  Neg: (dy) => ({ x: () => tf.neg(dy) }),
  Transpose: (dy, _, { perm }) => ({
    x: () => {
      const permutation = perm as number[];
      return transposed(
        dy,
        permutation.map((_axis, to) => permutation.indexOf(to)),
      );
    },
  }),
};

/** Kernels of one operand x whose gradient is a function of the output, which is saved. */
const ofOutput: Readonly<Record<string, Backward>> = {
  Exp: (dy, [y]) => ({ x: () => tf.mul(dy, y!) }),
  Sqrt: (dy, [y]) => ({ x: () => tf.div(tf.mul(dy, 0.5), y!) }),
  Sigmoid: (dy, [y]) => ({ x: () => tf.mul(dy, tf.mul(y!, tf.sub(1, y!))) }),
  Relu: (dy, [y]) => ({ x: () => tf.mul(dy, tf.step(y!)) }),
  LeakyRelu: (dy, [y], { alpha }) => ({
    x: () => tf.where(tf.greater(y!, 0), dy, tf.mul(dy, alpha as number)),
  }),
};

/** The gradient of a reduction, times `share`, to every entry that was reduced. */
function spread(dy: tf.Tensor, x: tf.Tensor, { axis }: tf.NamedAttrMap, share: number): tf.Tensor {
  const axes = tf.util.parseAxisParam(axis as number | number[], x.shape);
  const kept = x.shape.map((size, index) => (axes.includes(index) ? 1 : size));
  return tf.mul(tf.reshape(dy, kept), tf.fill(x.shape, share));
}

const convolution: Backward = (dy, [x, filter]) => ({
  x: () => inputGradient(dy, filter!),
  filter: () => filterGradient(x!, dy, filter!.shape),
});

const concatenation: tf.GradFunc = (dy, saved, { axis }) => {
  const along = axis as number;
  const pieces = tf.split(
    dy as tf.Tensor,
    saved.map((x) => x.shape[along]!),
    along,
  );
  return Object.fromEntries(pieces.map((piece, index) => [index, () => piece]));
};
