import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine, Ops, Tensor } from '../../server/src/engine/ops.ts';
import { relativeDifference } from '../../server/src/engine/trial.ts';
import { normals, operatorProgram } from '../unit/engine/finite-differences.ts';
import { type GradientCase, gradientCases, operandsOf } from '../unit/engine/gradient-cases.ts';
import { cpu, placed, withoutAdapter } from './webgpu.ts';

// Float32 sums in another order differ by some 1e-7; a wrong formula or a missing node differs by far more.
const tolerance = 1e-5;

/** Operators without a gradient, on values with ties. */
const marks: readonly GradientCase[] = [
  { name: 'lessEqual', shapes: [[3, 4], [4]], apply: (ops, a, b) => ops.lessEqual(a!, b!) },
  { name: 'greater', shapes: [[3, 4], [4]], apply: (ops, a, b) => ops.greater(a!, b!) },
  { name: 'oneHotArgmax over channels', shapes: [[2, 3, 4, 4]], apply: (ops, x) => ops.oneHotArgmax(x!, 1) },
  { name: 'oneHotArgmax over the last axis', shapes: [[5, 3]], apply: (ops, x) => ops.oneHotArgmax(x!, 1) },
  { name: 'stopGradient', shapes: [[7]], apply: (ops, x) => ops.add(ops.stopGradient(x!), ops.scalar(1)) },
];

/** The operator's own result, from a graph that only runs forward. */
async function resultOf(
  engine: Engine,
  { shapes, apply }: GradientCase,
  operands: Float32Array,
): Promise<Float32Array> {
  const predictor = await engine.predictor({
    inputs: {},
    build(ops, parameters) {
      const xs = shapes.map((shape, index) => parameters.get(`x${index}`, shape, { kind: 'zeros' }));
      const y = apply(ops, ...xs);
      // An empty shape is a number.
      return { y: y.shape.length === 0 ? ops.reshape(y, [1]) : y };
    },
  });
  const { y } = await predictor.run(operands, {});
  await predictor.dispose();
  return y!;
}

function near(actual: Float32Array, expected: Float32Array): void {
  const difference = relativeDifference(actual, expected);
  assert.ok(difference <= tolerance, `relative difference ${difference}`);
}

describe('operators on WebGPU', { skip: withoutAdapter }, () => {
  for (const [index, operator] of gradientCases.entries()) {
    it(`${operator.name} gives the value and the gradient of the CPU, computed on the device`, async () => {
      const operands = operandsOf(operator, index + 1);
      const program = operatorProgram(operator.shapes, operator.apply);
      const { result, placement } = await placed(async (engine) => ({
        value: await resultOf(engine, operator, operands),
        trained: await engine.gradients(program, operands, {}),
      }));
      near(result.value, await resultOf(cpu, operator, operands));
      const expected = await cpu.gradients(program, operands, {});
      assert.ok(Math.abs(result.trained.loss - expected.loss) <= tolerance * (1 + Math.abs(expected.loss)));
      near(result.trained.gradient, expected.gradient);
      assert.ok(placement.onDevice > 0);
      assert.deepEqual(placement.elsewhere, []);
    });
  }

  for (const [index, operator] of marks.entries()) {
    it(`${operator.name} gives the very values of the CPU, computed on the device`, async () => {
      // Halves of small integers: many are equal.
      const operands = operandsOf(operator, 100 + index).map((value) => Math.round(2 * value) / 2);
      const { result, placement } = await placed((engine) => resultOf(engine, operator, operands));
      assert.deepEqual(result, await resultOf(cpu, operator, operands));
      assert.deepEqual(placement.elsewhere, []);
    });
  }

  const far = (values: Float32Array): Float32Array => values.map((value) => 100 + value);
  const norms: readonly [string, (ops: Ops, x: Tensor) => Tensor][] = [
    ['instanceNorm', (ops, x) => ops.instanceNorm(ops.reshape(x, [2, 2, 4, 4]))],
    [
      'layerNorm',
      (ops, x) =>
        ops.layerNorm(x, ops.constant(new Float32Array(16).fill(1), [16]), ops.constant(new Float32Array(16), [16])),
    ],
  ];
  for (const [name, apply] of norms) {
    it(`${name} keeps its accuracy far from zero, in training and forward`, async () => {
      const operator: GradientCase = { name, shapes: [[4, 16]], apply: (ops, x) => apply(ops, x!) };
      const operands = far(normals(9, 64));
      const rows = Array.from({ length: 4 }, (_, row) => [...operands.subarray(16 * row, 16 * row + 16)]);
      const exact = Float32Array.from(rows.flatMap(standardise));
      const { result } = await placed(async (engine) => ({
        forward: await resultOf(engine, operator, operands),
        trained: await engine.gradients(operatorProgram(operator.shapes, operator.apply), operands, {}),
      }));
      near(result.forward, exact);
      const weights = normals(77, 64);
      const loss = exact.reduce((sum, value, index) => sum + value * weights[index]!, 0);
      assert.ok(Math.abs(result.trained.loss - loss) <= tolerance * Math.abs(loss), `${result.trained.loss}, ${loss}`);
    });
  }
});

/** In float64, epsilon 1e-5. */
function standardise(row: readonly number[]): number[] {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  return row.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
}
