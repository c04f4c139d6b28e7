import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Engine } from '../../../server/src/engine/ops.ts';
import { assertGradient, normals, operatorProgram } from './finite-differences.ts';
import { gradientCases } from './gradient-cases.ts';
import type { PlainArray, ValueCase } from './plain.ts';
import { spatialValueCases } from './spatial-value-cases.ts';
import { valueCases } from './value-cases.ts';

/** Values of every operator, from the predictor and from a training step, against plain loops. */
export function testValues(engine: Engine): void {
  for (const value of [...valueCases, ...spatialValueCases]) {
    it(`${value.name} is what plain loops say`, async () => {
      for (const computed of await computedBy(engine, value)) assertClose(computed, value.expected);
    });
  }
}

/** Gradients of every operator against finite differences, and where they must not flow. */
export function testGradients(engine: Engine): void {
  for (const [index, { name, shapes, apply, domain = (value: number) => value }] of gradientCases.entries()) {
    it(`the gradient of ${name} agrees with finite differences`, async () => {
      const count = shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
      const weights = normals(index + 1, count).map(domain);
      await assertGradient(operatorProgram(shapes, apply), weights, { by: engine });
    });
  }

  it('no gradient flows through stopGradient, comparisons and oneHotArgmax', async () => {
    const program = operatorProgram([[6]], (ops, x) =>
      ops.add(
        ops.mul(ops.stopGradient(x!), x!),
        ops.add(ops.lessEqual(x!, ops.scalar(0)), ops.add(ops.greater(x!, ops.scalar(1)), ops.oneHotArgmax(x!, 0))),
      ),
    );
    const weights = normals(5, 6);
    const { gradient } = await engine.gradients(program, weights, {});
    const expected = normals(77, 6).map((value, index) => value * weights[index]!);
    for (const [index, value] of gradient.entries()) assert.ok(Math.abs(value - expected[index]!) < 1e-6);
  });

  it('gradients are zero for a parameter that the loss does not use', async () => {
    const program = operatorProgram([[3], [2]], (ops, x) => ops.square(x!));
    const { gradient } = await engine.gradients(program, Float32Array.of(1, 2, 3, 4, 5), {});
    assert.deepEqual([...gradient.slice(3)], [0, 0]);
  });

  it('the gradient of a tied maximum goes to the left operand', async () => {
    const program = operatorProgram([[1], [1]], (ops, a, b) => ops.maximum(a!, b!));
    const { gradient } = await engine.gradients(program, Float32Array.of(2, 2), {});
    assert.deepEqual([...gradient], [normals(77, 1)[0], 0]);
  });

  it('the gradient of a tied pool goes to the first of the tied entries', async () => {
    const program = operatorProgram([[1, 1, 2, 4]], (ops, x) => ops.maxPool2(x!));
    const { gradient } = await engine.gradients(program, Float32Array.of(1, 1, 0, 2, 1, 1, 2, 2), {});
    const [left, right] = normals(77, 2);
    assert.deepEqual([...gradient], [left, 0, 0, right, 0, 0, 0, 0]);
  });

  it('the gradient of ReLU and leaky ReLU at 0 is that of the negative side', async () => {
    const program = operatorProgram([[1], [1]], (ops, a, b) => ops.concat([ops.relu(a!), ops.leakyRelu(b!, 0.25)], 0));
    const { gradient } = await engine.gradients(program, Float32Array.of(0, 0), {});
    assert.deepEqual([...gradient], [0, normals(77, 2)[1]! / 4]);
  });
}

/** The result of a text, from a predictor and from a training step. */
export async function computedBy(
  engine: Engine,
  { operands, apply }: Pick<ValueCase, 'operands' | 'apply'>,
): Promise<PlainArray[]> {
  const inputs = Object.fromEntries(operands.map(({ shape }, index) => [`x${index}`, shape]));
  const arrays = Object.fromEntries(operands.map(({ values }, index) => [`x${index}`, Float32Array.from(values)]));
  let shape: readonly number[] = [];
  const predictor = await engine.predictor({
    inputs,
    build: (ops, _, tensors) => {
      const y = apply(ops, ...operands.map((_operand, index) => tensors[`x${index}`]!));
      shape = y.shape;
      return { y };
    },
  });
  const { y } = await predictor.run(new Float32Array(0), arrays);
  await predictor.dispose();
  const trainer = await engine.trainer(
    {
      inputs,
      build: (ops, parameters, tensors) => {
        const unused = parameters.get('unused', [1], { kind: 'zeros' });
        const result = apply(ops, ...operands.map((_operand, index) => tensors[`x${index}`]!));
        return { loss: ops.sum(unused), terms: {}, outputs: { y: result } };
      },
    },
    { kind: 'sgd', momentum: 0, weightDecay: 0 },
    ((zero) => ({ step: 0, student: zero, ema: zero, firstMoment: zero, secondMoment: zero }))(new Float32Array(1)),
  );
  const { outputs } = await trainer.step(arrays, { learningRate: 0, emaDecay: 1 });
  await trainer.dispose();
  return [y!, outputs['y']!].map((values) => ({ shape, values: [...values] }));
}

/** Single precision carries 6e-8; sums of some dozens of products, and the polynomial of erf, a few times that. */
function assertClose(actual: PlainArray, expected: PlainArray): void {
  assert.deepEqual([...actual.shape], [...expected.shape]);
  assert.equal(actual.values.length, expected.values.length);
  for (const [index, value] of expected.values.entries()) {
    const seen = actual.values[index]!;
    assert.ok(Math.abs(seen - value) <= 2e-6 * (1 + Math.abs(value)), `entry ${index}: ${seen}, expected ${value}`);
  }
}
