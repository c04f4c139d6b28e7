import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { LossProgram } from '../../../server/src/engine/ops.ts';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { withoutTransformer } from '../../../server/src/round/ablation/without-transformer.ts';
import { type Student, studentOf } from '../../../server/src/student/architecture.ts';
import { normals } from '../engine/finite-differences.ts';

const engine = createOnnxEngine({ threads: 1 });
const whole = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const without = withoutTransformer(whole);
const space = [32, 32];
const table = engine.table(without.inferenceProgram(1, space));
const weights = initialise(table, 3);
const image = normals(5, 32 * 32);
/** Places of the branch in the vector of weights. */
const branch = table.rows.filter(({ name }) => name.startsWith('prior.'));
const sizeOf = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);

async function predict(student: Student, vector: Float32Array): Promise<Float32Array> {
  const predictor = await engine.predictor(student.inferenceProgram(1, space));
  try {
    const { probabilities } = await predictor.run(vector, { image });
    return probabilities ?? assert.fail();
  } finally {
    await predictor.dispose();
  }
}

test('without the transformer branch its parameters are there and change nothing', async () => {
  assert.equal(table.hash, engine.table(whole.inferenceProgram(1, space)).hash);
  assert.ok(branch.length > 10);
  const other = weights.slice();
  for (const { offset, shape } of branch) other.set(normals(offset + 1, sizeOf(shape)), offset);
  assert.deepEqual(await predict(without, other), await predict(without, weights));
  assert.notDeepEqual(await predict(whole, other), await predict(whole, weights));
  assert.notDeepEqual(await predict(without, weights), await predict(whole, weights));
});

test('and none of them learns, while the rest does', async () => {
  const program: LossProgram = {
    inputs: { image: [1, 1, ...space] },
    build(ops, parameters, inputs) {
      const { heads } = without.forward(ops, parameters, inputs['image'] ?? assert.fail());
      return { loss: ops.mean(ops.square(ops.concat(heads, 1))), terms: {} };
    },
  };
  const optimiser = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 } as const;
  const trainer = await engine.trainer(program, optimiser, initialState(weights));
  try {
    await trainer.step({ image }, { learningRate: 1e-2, emaDecay: 0.9 });
    const { student } = await trainer.state();
    assert.equal(trainer.table.hash, table.hash);
    for (const { name, offset, shape } of branch) {
      const part = (vector: Float32Array) => vector.subarray(offset, offset + sizeOf(shape));
      assert.deepEqual(part(student), part(weights), name);
    }
    assert.notDeepEqual(student, weights);
  } finally {
    await trainer.dispose();
  }
});
