import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Engine, ForwardProgram } from '../../../server/src/engine/ops.ts';
import { normals } from './finite-differences.ts';

/** Weights may change, the last batch may be smaller, and outputs may be anything that the text has. */
export function testPredictor(engine: Engine): void {
  const program: ForwardProgram = {
    inputs: { x: [4, 2] },
    build: (ops, parameters, { x }) => ({ y: ops.matmul(x!, parameters.get('w', [2, 3], { kind: 'zeros' })) }),
  };
  for (const frozen of [false, true]) {
    it(`a predictor takes other weights and a smaller last batch${frozen ? ' when frozen' : ''}`, async () => {
      const predictor = await engine.predictor(program, { frozen });
      const x = normals(1, 8);
      for (const seed of [2, 3, 2]) {
        const weights = normals(seed, 6);
        const { y } = await predictor.run(weights, { x });
        assert.equal(y!.length, 12);
        assert.ok(Math.abs(y![3]! - (x[2]! * weights[0]! + x[3]! * weights[3]!)) < 1e-6);
        const { y: part } = await predictor.run(weights, { x: x.slice(0, 6) });
        assert.deepEqual(part, y!.slice(0, 9));
      }
      await assert.rejects(predictor.run(normals(1, 6), { x: new Float32Array(3) }), /input x: 3 values/);
      await assert.rejects(predictor.run(normals(1, 5), { x }), /5 values for 6 parameters/);
      await predictor.dispose();
    });
  }

  it('a predictor lets an input, a constant and one value under two names be outputs', async () => {
    const program: ForwardProgram = {
      inputs: { x: [2] },
      build: (ops, _, { x }) => {
        const sum = ops.add(x!, x!);
        return { same: x!, fixed: ops.constant([5, 6], [2]), one: sum, two: sum };
      },
    };
    const predictor = await engine.predictor(program);
    const out = await predictor.run(new Float32Array(0), { x: Float32Array.of(1, 2) });
    await predictor.dispose();
    assert.deepEqual(out, {
      same: Float32Array.of(1, 2),
      fixed: Float32Array.of(5, 6),
      one: Float32Array.of(2, 4),
      two: Float32Array.of(2, 4),
    });
  });
}
