import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertGradient, engine, normals, operatorProgram } from './finite-differences.ts';
import { operandsOf, operatorCases } from './operator-cases.ts';

describe('gradients', () => {
  for (const [index, operator] of operatorCases.entries()) {
    it(`of ${operator.name} agree with finite differences`, async () => {
      await assertGradient(operatorProgram(operator.shapes, operator.apply), operandsOf(operator, index + 1));
    });
  }

  it('do not flow through stopGradient, comparisons and oneHotArgmax', async () => {
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

  it('are zero for a parameter that the loss does not use', async () => {
    const program = operatorProgram([[3], [2]], (ops, x) => ops.square(x!));
    const { gradient } = await engine.gradients(program, Float32Array.of(1, 2, 3, 4, 5), {});
    assert.deepEqual([...gradient.slice(3)], [0, 0]);
  });

  it('go to the left operand of a tied maximum', async () => {
    const program = operatorProgram([[1], [1]], (ops, a, b) => ops.maximum(a!, b!));
    const { gradient } = await engine.gradients(program, Float32Array.of(2, 2), {});
    assert.deepEqual([...gradient], [normals(77, 1)[0], 0]);
  });
});
