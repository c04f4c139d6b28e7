import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ops, Tensor } from '../../server/src/engine/ops.ts';
import { product } from '../../server/src/student/layers.ts';
import { computedBy } from '../unit/engine/contract.ts';
import { engine, normals, operatorProgram, weightingOf } from '../unit/engine/finite-differences.ts';
import { gradientCases } from '../unit/engine/gradient-cases.ts';
import type { PlainArray, ValueCase } from '../unit/engine/plain.ts';
import { spatialValueCases } from '../unit/engine/spatial-value-cases.ts';
import { valueCases } from '../unit/engine/value-cases.ts';
import { askOperators, type Recorded, recording } from './recorded.ts';
import { findTorch } from './torch.ts';

const torch = findTorch();

/** A text on operands, and whether its gradient is compared: at the edges of a domain it has none. */
interface Case extends Pick<ValueCase, 'name' | 'operands' | 'apply'> {
  readonly isDifferentiated: boolean;
}

/** The sum of what lets no gradient through, times an operand that does. */
const stopped: Case = {
  name: 'stopGradient, comparisons and oneHotArgmax beside a product',
  operands: [{ shape: [2, 3], values: [...normals(5, 6)] }],
  apply: (ops, x) => {
    const [zero, one] = [ops.scalar(0), ops.constant([1, 1, 1], [3])];
    const steps = ops.add(ops.lessEqual(x!, zero), ops.add(ops.greater(x!, one), ops.oneHotArgmax(x!, 1)));
    return ops.add(ops.mul(ops.stopGradient(x!), x!), steps);
  },
  isDifferentiated: true,
};

const cases: readonly Case[] = [
  ...gradientCases.map(({ name, shapes, apply, domain = (value: number) => value }, index) => ({
    name,
    operands: shapes.map((shape, at): PlainArray => {
      const seed = 100 * (index + 1) + at;
      return { shape, values: [...normals(seed, product(shape)).map(domain)] };
    }),
    apply,
    isDifferentiated: true,
  })),
  stopped,
  ...[...valueCases, ...spatialValueCases].map((value) => ({ ...value, isDifferentiated: false })),
];

/** The calls that a case makes. */
function record({ operands, apply, isDifferentiated }: Case): Recorded {
  let recorded: Recorded | undefined;
  const shapes = operands.map(({ shape }) => shape);
  engine.table(
    operatorProgram(shapes, (ops, ...xs) => {
      const { ops: recorder, calls } = recording(ops, xs);
      const result = apply(recorder, ...xs);
      // As both sides get them: in single precision.
      const given = operands.map(({ shape, values }) => ({ shape, values: [...Float32Array.from(values)] }));
      recorded = { operands: given, calls, weighting: isDifferentiated ? [...weightingOf(result.shape)] : null };
      return result;
    }),
  );
  assert.ok(recorded);
  return recorded;
}

const recorded = cases.map(record);

it('every operator of the vocabulary is compared, and all that have a gradient with theirs', () => {
  const called = (which: readonly Recorded[]) =>
    new Set(which.flatMap(({ calls }) => calls.map((call) => call.operator)));
  let vocabulary: readonly string[] = [];
  const note = (ops: Ops, x: Tensor) => {
    vocabulary = Object.keys(ops);
    return x;
  };
  engine.table(operatorProgram([[1]], (ops, x) => note(ops, x!)));
  assert.ok(vocabulary.length > 35);
  const differentiated = called(recorded.filter(({ weighting }) => weighting !== null));
  assert.deepEqual(
    vocabulary.filter((name) => !differentiated.has(name)),
    [],
  );
});

describe('operators against PyTorch', { skip: 'missing' in torch && torch.missing }, () => {
  const answers = 'missing' in torch ? [] : askOperators(recorded);
  for (const [index, given] of cases.entries()) {
    it(`${given.name} is as in PyTorch`, async () => {
      const { shape, values, gradients } = answers[index]!;
      // In serving and in training.
      for (const computed of await computedBy(engine, given)) {
        assert.deepEqual(computed.shape, shape);
        assertNear(computed.values, values);
      }
      if (!given.isDifferentiated) return;
      const shapes = given.operands.map((operand) => operand.shape);
      const operands = Float32Array.from(given.operands.flatMap((operand) => operand.values));
      const { gradient } = await engine.gradients(operatorProgram(shapes, given.apply), operands, {});
      let end = 0;
      for (const expected of gradients) {
        end += expected.length;
        assertNear([...gradient.subarray(end - expected.length, end)], expected);
      }
      assert.equal(gradient.length, end);
    });
  }
});

/**
 * PyTorch computes in double precision, so what is apart is our rounding: 6e-8 a sum, some hundred of which make an entry
 * of the longest convolution here; measured up to 4e-7 of the length of the array.
 */
function assertNear(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  const apart = Math.hypot(...expected.map((value, at) => value - actual[at]!));
  const length = Math.hypot(...expected);
  assert.ok(apart <= 1e-6 * length, `${apart} apart at a length of ${length}`);
}
