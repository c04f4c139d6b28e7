import type { Ops, Shape, Tensor } from '../../../server/src/engine/ops.ts';
import { normals } from './finite-differences.ts';

/** One operator on random operands, for gradients against finite differences. */
export interface GradientCase {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly apply: (ops: Ops, ...xs: Tensor[]) => Tensor;
  /** Moves random operands into the domain of the operator. */
  readonly domain?: (value: number) => number;
}

const positive = (value: number): number => 0.5 + Math.abs(value);
/** Every operator of the vocabulary, in the shapes and forms in which a reading may treat it apart. */
export const gradientCases: readonly GradientCase[] = [
  {
    name: 'add with broadcasting',
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
    apply: (ops, a, b) => ops.add(a!, b!),
  },
  {
    name: 'sub with broadcasting',
    shapes: [
      [3, 1],
      [2, 3, 4],
    ],
    apply: (ops, a, b) => ops.sub(a!, b!),
  },
  { name: 'mul with broadcasting', shapes: [[2, 3, 4], [4]], apply: (ops, a, b) => ops.mul(a!, b!) },
  { name: 'mul of a value with itself', shapes: [[5]], apply: (ops, a) => ops.mul(a!, a!) },
  {
    name: 'div',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    apply: (ops, a, b) => ops.div(a!, b!),
    domain: positive,
  },
  { name: 'maximum', shapes: [[20], [20]], apply: (ops, a, b) => ops.maximum(a!, b!) },
  { name: 'neg', shapes: [[7]], apply: (ops, x) => ops.neg(x!) },
  { name: 'exp', shapes: [[7]], apply: (ops, x) => ops.exp(x!) },
  { name: 'log', shapes: [[7]], apply: (ops, x) => ops.log(x!), domain: positive },
  { name: 'sqrt', shapes: [[7]], apply: (ops, x) => ops.sqrt(x!), domain: positive },
  { name: 'square', shapes: [[7]], apply: (ops, x) => ops.square(x!) },
  { name: 'sigmoid', shapes: [[7]], apply: (ops, x) => ops.sigmoid(x!) },
  { name: 'relu', shapes: [[30]], apply: (ops, x) => ops.relu(x!), domain: (v) => v + Math.sign(v) * 0.1 },
  {
    name: 'leakyRelu',
    shapes: [[30]],
    apply: (ops, x) => ops.leakyRelu(x!, 0.2),
    domain: (v) => v + Math.sign(v) * 0.1,
  },
  { name: 'gelu', shapes: [[30]], apply: (ops, x) => ops.gelu(x!) },
  { name: 'softmax over channels', shapes: [[2, 3, 4, 4]], apply: (ops, x) => ops.softmax(x!, 1) },
  { name: 'softmax over the last axis', shapes: [[2, 5]], apply: (ops, x) => ops.softmax(x!, 1) },
  { name: 'logSoftmax', shapes: [[2, 3, 4, 4]], apply: (ops, x) => ops.logSoftmax(x!, 1) },
  { name: 'sum of all', shapes: [[2, 3]], apply: (ops, x) => ops.square(ops.sum(x!)) },
  { name: 'sum over axes', shapes: [[2, 3, 4]], apply: (ops, x) => ops.square(ops.sum(x!, [0, 2])) },
  { name: 'mean keeping axes', shapes: [[2, 3, 4]], apply: (ops, x) => ops.square(ops.mean(x!, [1], true)) },
  {
    name: 'reshape and transpose',
    shapes: [[2, 3, 4]],
    apply: (ops, x) => ops.square(ops.transpose(ops.reshape(x!, [6, 2, 2]), [2, 0, 1])),
  },
  {
    name: 'concat',
    shapes: [
      [2, 3],
      [2, 2],
    ],
    apply: (ops, a, b) => ops.square(ops.concat([a!, b!, a!], 1)),
  },
  { name: 'slice', shapes: [[2, 5]], apply: (ops, x) => ops.square(ops.slice(x!, 1, 1, 4)) },
  {
    name: 'slices side by side, out of order',
    shapes: [[2, 5]],
    apply: (ops, x) => ops.concat([ops.square(ops.slice(x!, 1, 2, 5)), ops.exp(ops.slice(x!, 1, 0, 2))], 1),
  },
  {
    name: 'slices with a common entry',
    shapes: [[2, 5]],
    apply: (ops, x) => ops.concat([ops.square(ops.slice(x!, 1, 2, 5)), ops.exp(ops.slice(x!, 1, 0, 3))], 1),
  },
  {
    name: 'matmul with a weight matrix',
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    apply: (ops, a, b) => ops.matmul(a!, b!),
  },
  {
    name: 'matmul of two batches',
    shapes: [
      [2, 2, 3, 4],
      [2, 2, 4, 5],
    ],
    apply: (ops, a, b) => ops.matmul(a!, b!),
  },
  {
    name: 'matmul with a broadcast left side',
    shapes: [
      [3, 4],
      [2, 4, 5],
    ],
    apply: (ops, a, b) => ops.matmul(a!, b!),
  },
  { name: 'conv 3x3', shapes: [[2, 3, 6, 5], [4, 3, 3, 3], [4]], apply: (ops, x, w, b) => ops.conv(x!, w!, b!) },
  {
    name: 'conv 3x3 on a wide grid',
    shapes: [
      [2, 2, 20, 18],
      [2, 2, 3, 3],
    ],
    apply: (ops, x, w) => ops.conv(x!, w!),
  },
  {
    name: 'conv 3x3 to more channels than positions',
    shapes: [[3, 9, 2, 4], [10, 9, 3, 3], [10]],
    apply: (ops, x, w, b) => ops.conv(x!, w!, b!),
  },
  {
    name: 'conv 5x3 to more channels than positions',
    shapes: [
      [2, 7, 3, 2],
      [8, 7, 5, 3],
    ],
    apply: (ops, x, w) => ops.conv(x!, w!),
  },
  {
    name: 'conv 3x3x3 to more channels than positions',
    shapes: [[2, 9, 2, 2, 2], [9, 9, 3, 3, 3], [9]],
    apply: (ops, x, w, b) => ops.conv(x!, w!, b!),
  },
  {
    name: 'conv 5x3 to four times as many channels',
    shapes: [[2, 1, 6, 5], [4, 1, 5, 3], [4]],
    apply: (ops, x, w, b) => ops.conv(x!, w!, b!),
  },
  {
    name: 'conv 1x3x5 to four times as many channels',
    shapes: [
      [2, 2, 3, 4, 5],
      [8, 2, 1, 3, 5],
    ],
    apply: (ops, x, w) => ops.conv(x!, w!),
  },
  { name: 'conv 1x1', shapes: [[2, 3, 6, 5], [4, 3, 1, 1], [4]], apply: (ops, x, w, b) => ops.conv(x!, w!, b!) },
  {
    name: 'conv 5x3',
    shapes: [
      [1, 2, 6, 5],
      [3, 2, 5, 3],
    ],
    apply: (ops, x, w) => ops.conv(x!, w!),
  },
  {
    name: 'conv 3x3x3',
    shapes: [[2, 2, 4, 5, 3], [3, 2, 3, 3, 3], [3]],
    apply: (ops, x, w, b) => ops.conv(x!, w!, b!),
  },
  {
    name: 'conv 1x3x5',
    shapes: [
      [1, 2, 4, 4, 6],
      [2, 2, 1, 3, 5],
    ],
    apply: (ops, x, w) => ops.conv(x!, w!),
  },
  { name: 'convDown 2D', shapes: [[2, 3, 8, 4], [5, 3, 4, 4], [5]], apply: (ops, x, w, b) => ops.convDown(x!, w!, b!) },
  {
    name: 'convDown 3D',
    shapes: [[1, 2, 4, 2, 6], [3, 2, 2, 2, 2], [3]],
    apply: (ops, x, w, b) => ops.convDown(x!, w!, b!),
  },
  { name: 'convUp 2D', shapes: [[2, 3, 4, 3], [3, 5, 2, 2], [5]], apply: (ops, x, w, b) => ops.convUp(x!, w!, b!) },
  {
    name: 'convUp 3D',
    shapes: [
      [1, 2, 2, 3, 2],
      [2, 3, 2, 2, 2],
    ],
    apply: (ops, x, w) => ops.convUp(x!, w!),
  },
  { name: 'maxPool2 2D', shapes: [[2, 2, 4, 6]], apply: (ops, x) => ops.maxPool2(x!) },
  { name: 'maxPool2 3D', shapes: [[2, 2, 4, 2, 6]], apply: (ops, x) => ops.maxPool2(x!) },
  { name: 'avgPool', shapes: [[2, 2, 8, 4]], apply: (ops, x) => ops.avgPool(x!, 4) },
  { name: 'upsample2', shapes: [[2, 2, 3, 5]], apply: (ops, x) => ops.upsample2(x!) },
  {
    name: 'instanceNorm 2D, affine',
    shapes: [[2, 3, 4, 5], [3], [3]],
    apply: (ops, x, s, b) => ops.instanceNorm(x!, s!, b!),
  },
  { name: 'instanceNorm 3D, plain', shapes: [[2, 2, 3, 4, 5]], apply: (ops, x) => ops.instanceNorm(x!) },
  { name: 'layerNorm', shapes: [[2, 3, 8], [8], [8]], apply: (ops, x, s, b) => ops.layerNorm(x!, s!, b!) },
  {
    name: 'mul of a volume with a value for each channel and with one for each position',
    shapes: [
      [2, 3, 2, 3, 2],
      [3, 1, 1, 1],
      [1, 1, 2, 3, 2],
    ],
    apply: (ops, x, a, b) => ops.mul(ops.mul(x!, a!), b!),
  },
  { name: 'softmax over the channels of a volume', shapes: [[2, 3, 2, 3, 2]], apply: (ops, x) => ops.softmax(x!, 1) },
  { name: 'logSoftmax of a volume', shapes: [[2, 3, 2, 3, 2]], apply: (ops, x) => ops.logSoftmax(x!, 1) },
  {
    name: 'sum of a volume for each channel',
    shapes: [[2, 3, 2, 3, 2]],
    apply: (ops, x) => ops.square(ops.sum(ops.square(x!), [0, 2, 3, 4])),
  },
  {
    name: 'mean of a volume over channels, kept',
    shapes: [[2, 3, 2, 3, 2]],
    apply: (ops, x) => ops.mul(x!, ops.mean(x!, [1], true)),
  },
  {
    name: 'concat and slice of volumes',
    shapes: [
      [2, 3, 2, 3, 2],
      [2, 1, 2, 3, 2],
    ],
    apply: (ops, a, b) => ops.square(ops.slice(ops.concat([a!, b!], 1), 1, 1, 4)),
  },
  {
    name: 'transpose of seven axes',
    shapes: [[2, 2, 3, 2, 2, 2, 3]],
    apply: (ops, x) => ops.square(ops.transpose(x!, [0, 1, 3, 5, 2, 4, 6])),
  },
];

/** The operands of a case, in its domain; `seed` is its place in the list. */
export function operandsOf({ shapes, domain = (value) => value }: GradientCase, seed: number): Float32Array {
  const count = shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return normals(seed, count).map(domain);
}
