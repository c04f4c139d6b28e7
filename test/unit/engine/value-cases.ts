import type { Ops, Shape, Tensor } from '../../../server/src/engine/ops.ts';
import { at, filledBy, type PlainArray, plainErf, positionsOf, random, type ValueCase } from './plain.ts';

const given = (shape: Shape, ...values: number[]): PlainArray => ({ shape, values });
const numbers = given([6], -2.5, -1, 0, 0.25, 1, 3);
const mapped = (x: PlainArray, map: (value: number) => number): PlainArray => ({ ...x, values: x.values.map(map) });

function unary(name: string, apply: (ops: Ops, x: Tensor) => Tensor, map: (value: number) => number, x = numbers) {
  return { name, operands: [x], apply: (ops: Ops, a?: Tensor) => apply(ops, a!), expected: mapped(x, map) };
}

function binary(
  name: string,
  apply: (ops: Ops, a: Tensor, b: Tensor) => Tensor,
  map: (a: number, b: number) => number,
): ValueCase {
  // [2,1,3] against [4,1]: both are repeated.
  const [a, b] = [given([2, 1, 3], 1, -2, 0.5, 4, 3, -1), given([4, 1], 1, -2, 0.5, 3)];
  const expected = filledBy([2, 4, 3], ([i, j, k]) => map(at(a, [i!, 0, k!]), at(b, [j!, 0])));
  return { name, operands: [a, b], apply: (ops, x, y) => apply(ops, x!, y!), expected };
}

function along(axis: number, x: PlainArray, map: (value: number, line: readonly number[]) => number) {
  return filledBy(x.shape, (position) => {
    const line = positionsOf([x.shape[axis]!]).map(([place]) => at(x, position.with(axis, place!)));
    return map(at(x, position), line);
  });
}

function alongAxes(): ValueCase[] {
  const x = random(2, 3, 4);
  const mass = (line: readonly number[]): number => line.reduce((sum, value) => sum + Math.exp(value), 0);
  const tied = given([2, 3], 1, 5, 5, 2, 2, 2);
  const volume = random(2, 3, 2, 2, 3);
  const large = given([1, 2], 1000, 998);
  const total = (line: readonly number[]): number => line.reduce((sum, value) => sum + value, 0);
  const lineOver = (place: (k: number) => number[], count: number) =>
    Array.from({ length: count }, (_, k) => at(x, place(k)));
  return [
    {
      name: 'softmax over an inner axis',
      operands: [x],
      apply: (ops, a) => ops.softmax(a!, 1),
      expected: along(1, x, (value, line) => Math.exp(value) / mass(line)),
    },
    {
      name: 'logSoftmax over the last axis',
      operands: [x],
      apply: (ops, a) => ops.logSoftmax(a!, 2),
      expected: along(2, x, (value, line) => value - Math.log(mass(line))),
    },
    {
      name: 'logSoftmax of large values',
      operands: [large],
      apply: (ops, a) => ops.logSoftmax(a!, 1),
      expected: given([1, 2], -Math.log1p(Math.exp(-2)), -2 - Math.log1p(Math.exp(-2))),
    },
    {
      name: 'oneHotArgmax over the last axis, with ties',
      operands: [tied],
      apply: (ops, a) => ops.oneHotArgmax(a!, 1),
      expected: given([2, 3], 0, 1, 0, 1, 0, 0),
    },
    {
      name: 'oneHotArgmax over the first axis',
      operands: [tied],
      apply: (ops, a) => ops.oneHotArgmax(a!, 0),
      expected: given([2, 3], 0, 1, 1, 1, 0, 0),
    },
    {
      name: 'softmax over the channels of a volume',
      operands: [volume],
      apply: (ops, a) => ops.softmax(a!, 1),
      expected: along(1, volume, (value, line) => Math.exp(value) / mass(line)),
    },
    {
      name: 'oneHotArgmax over the channels of a volume',
      operands: [volume],
      apply: (ops, a) => ops.oneHotArgmax(a!, 1),
      expected: along(1, volume, (value, line) => Number(value === Math.max(...line))),
    },
    {
      name: 'sum over outer axes',
      operands: [x],
      apply: (ops, a) => ops.sum(a!, [0, 1]),
      expected: filledBy([4], ([c]) => total(lineOver((k) => [Math.floor(k / 3), k % 3, c!], 6))),
    },
    {
      name: 'mean over an inner axis, kept',
      operands: [x],
      apply: (ops, a) => ops.mean(a!, [1], true),
      expected: filledBy([2, 1, 4], ([a, , c]) => total(lineOver((k) => [a!, k, c!], 3)) / 3),
    },
  ];
}

function layouts(): ValueCase[] {
  const x = random(2, 3, 4);
  const y = random(2, 2, 4);
  const many = random(2, 2, 3, 2, 2, 2, 3);
  const order = [0, 1, 3, 5, 2, 4, 6];
  const [a, b] = [random(3, 4), random(2, 4, 5)];
  return [
    {
      name: 'reshape',
      operands: [x],
      apply: (ops, a0) => ops.reshape(a0!, [4, 6]),
      expected: { shape: [4, 6], values: x.values },
    },
    {
      name: 'transpose',
      operands: [x],
      apply: (ops, a0) => ops.transpose(a0!, [2, 0, 1]),
      expected: filledBy([4, 2, 3], ([i, j, k]) => at(x, [j!, k!, i!])),
    },
    {
      name: 'transpose of seven axes',
      operands: [many],
      apply: (ops, a0) => ops.transpose(a0!, order),
      expected: filledBy(
        order.map((axis) => many.shape[axis]!),
        (position) =>
          at(
            many,
            order.map((_, axis) => position[order.indexOf(axis)]!),
          ),
      ),
    },
    {
      name: 'concat',
      operands: [x, y],
      apply: (ops, a0, b0) => ops.concat([a0!, b0!], 1),
      expected: filledBy([2, 5, 4], ([i, j, k]) => (j! < 3 ? at(x, [i!, j!, k!]) : at(y, [i!, j! - 3, k!]))),
    },
    {
      name: 'slice',
      operands: [x],
      apply: (ops, a0) => ops.slice(a0!, 2, 1, 3),
      expected: filledBy([2, 3, 2], ([i, j, k]) => at(x, [i!, j!, k! + 1])),
    },
    {
      name: 'matmul with a broadcast left side',
      operands: [a, b],
      apply: (ops, a0, b0) => ops.matmul(a0!, b0!),
      expected: filledBy([2, 3, 5], ([n, i, j]) =>
        positionsOf([4]).reduce((sum, [k]) => sum + at(a, [i!, k!]) * at(b, [n!, k!, j!]), 0),
      ),
    },
  ];
}

/** Operators that work on entries, axes and layouts, against plain loops in double precision. */
export const valueCases: readonly ValueCase[] = [
  binary(
    'add',
    (ops, a, b) => ops.add(a, b),
    (a, b) => a + b,
  ),
  binary(
    'sub',
    (ops, a, b) => ops.sub(a, b),
    (a, b) => a - b,
  ),
  binary(
    'mul',
    (ops, a, b) => ops.mul(a, b),
    (a, b) => a * b,
  ),
  binary(
    'div',
    (ops, a, b) => ops.div(a, b),
    (a, b) => a / b,
  ),
  binary('maximum', (ops, a, b) => ops.maximum(a, b), Math.max),
  binary(
    'lessEqual',
    (ops, a, b) => ops.lessEqual(a, b),
    (a, b) => Number(a <= b),
  ),
  binary(
    'greater',
    (ops, a, b) => ops.greater(a, b),
    (a, b) => Number(a > b),
  ),
  unary(
    'neg',
    (ops, x) => ops.neg(x),
    (x) => -x,
  ),
  unary('exp', (ops, x) => ops.exp(x), Math.exp),
  unary('log', (ops, x) => ops.log(x), Math.log, given([3], 1e-8, 1, 20)),
  unary('sqrt', (ops, x) => ops.sqrt(x), Math.sqrt, given([3], 0, 1e-6, 2)),
  unary(
    'square',
    (ops, x) => ops.square(x),
    (x) => x * x,
  ),
  unary(
    'sigmoid',
    (ops, x) => ops.sigmoid(x),
    (x) => 1 / (1 + Math.exp(-x)),
  ),
  unary(
    'relu',
    (ops, x) => ops.relu(x),
    (x) => Math.max(0, x),
  ),
  unary(
    'leakyRelu',
    (ops, x) => ops.leakyRelu(x, 0.2),
    (x) => (x > 0 ? x : 0.2 * x),
  ),
  unary(
    'gelu',
    (ops, x) => ops.gelu(x),
    (x) => (x / 2) * (1 + plainErf(x * Math.SQRT1_2)),
  ),
  unary(
    'stopGradient',
    (ops, x) => ops.stopGradient(x),
    (x) => x,
  ),
  ...alongAxes(),
  ...layouts(),
];
