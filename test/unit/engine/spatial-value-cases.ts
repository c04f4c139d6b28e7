import type { Ops, Tensor } from '../../../server/src/engine/ops.ts';
import {
  at,
  type PlainArray,
  plainConv,
  plainConvDown,
  plainConvUp,
  plainNorm,
  plainPool,
  plainUpsample,
  random,
  type ValueCase,
} from './plain.ts';

function norms(): ValueCase[] {
  const [scale, bias] = [random(3), random(3)];
  const image = random(2, 3, 4, 5);
  const volume = random(2, 3, 2, 3, 4);
  const tokens = random(2, 4, 3);
  const byAxis = (axis: number) => (value: number, position: readonly number[]) =>
    value * at(scale, [position[axis]!]) + at(bias, [position[axis]!]);
  return [
    {
      name: 'instanceNorm 2D, affine',
      operands: [image, scale, bias],
      apply: (ops, x, s, b) => ops.instanceNorm(x!, s!, b!),
      expected: plainNorm(image, 2, 1e-5, byAxis(1)),
    },
    {
      name: 'instanceNorm 3D, plain',
      operands: [volume],
      apply: (ops, x) => ops.instanceNorm(x!),
      expected: plainNorm(volume, 3, 1e-5, (value) => value),
    },
    {
      name: 'layerNorm with an epsilon of its own',
      operands: [tokens, scale, bias],
      apply: (ops, x, s, b) => ops.layerNorm(x!, s!, b!, 0.5),
      expected: plainNorm(tokens, 1, 0.5, byAxis(2)),
    },
  ];
}

type Convolution = 'conv' | 'convDown' | 'convUp';

function convolution(operator: Convolution, x: PlainArray, w: PlainArray): ValueCase {
  const bias = random(w.shape[operator === 'convUp' ? 1 : 0]!);
  const plain = { conv: plainConv, convDown: plainConvDown, convUp: plainConvUp }[operator];
  return {
    name: `${operator} ${w.shape.slice(2).join('x')}`,
    operands: [x, w, bias],
    apply: (ops, a, b, c) => ops[operator](a!, b!, c!),
    expected: plain(x, w, bias),
  };
}

function pool(name: string, x: PlainArray, factor: number): ValueCase {
  const mean = (window: readonly number[]): number => window.reduce((sum, v) => sum + v, 0) / window.length;
  return {
    name,
    operands: [x],
    apply: (ops, a) => (name.startsWith('max') ? ops.maxPool2(a!) : ops.avgPool(a!, factor)),
    expected: plainPool(x, factor, name.startsWith('max') ? (window) => Math.max(...window) : mean),
  };
}

/** Operators that work on space, and the norms, against plain loops in double precision. */
export const spatialValueCases: readonly ValueCase[] = [
  convolution('conv', random(2, 3, 5, 4), random(4, 3, 3, 3)),
  convolution('conv', random(2, 3, 5, 4), random(4, 3, 1, 1)),
  convolution('conv', random(1, 2, 5, 4), random(3, 2, 5, 3)),
  convolution('conv', random(2, 2, 3, 4, 3), random(3, 2, 3, 3, 3)),
  convolution('conv', random(1, 2, 3, 4, 5), random(2, 2, 1, 3, 5)),
  convolution('convDown', random(2, 3, 8, 4), random(5, 3, 4, 4)),
  convolution('convDown', random(2, 2, 4, 2, 6), random(3, 2, 2, 2, 2)),
  convolution('convUp', random(2, 3, 4, 3), random(3, 5, 2, 2)),
  convolution('convUp', random(2, 2, 2, 3, 2), random(2, 3, 2, 2, 2)),
  pool('maxPool2 2D', random(2, 2, 4, 6), 2),
  pool('maxPool2 3D', random(1, 2, 4, 2, 6), 2),
  pool('avgPool 2D', random(2, 2, 8, 4), 4),
  pool('avgPool 3D', random(1, 2, 3, 6, 3), 3),
  ...[random(2, 2, 3, 5), random(1, 1, 1, 2)].map((x) => ({
    name: `upsample2 of ${x.shape[2]}x${x.shape[3]}`,
    operands: [x],
    apply: (ops: Ops, a?: Tensor) => ops.upsample2(a!),
    expected: plainUpsample(x),
  })),
  ...norms(),
];
