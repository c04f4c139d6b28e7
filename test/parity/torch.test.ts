import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { ParameterTable } from '../../server/src/engine/ops.ts';
import { Random } from '../../server/src/engine/random.ts';
import { initialise } from '../../server/src/engine/vectors.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { unetConfig } from '../../server/src/student/prob-unet.ts';
import { drawBatch, stageOneProgram } from './stage-one.ts';
import { askTorch, findTorch } from './torch.ts';

const torch = findTorch();
const engine = createOnnxEngine({ threads: 2 });
const size = { batch: 3, height: 48, width: 48 };

describe('student against PyTorch', { skip: 'missing' in torch && torch.missing }, () => {
  for (const [variant, classes] of [
    ['lite', 3],
    ['full', 2],
  ] as const) {
    it(`has its loss, gradient and probabilities as ${variant} with ${classes} classes`, async (test) => {
      const config = unetConfig(variant, classes);
      const program = stageOneProgram(config, size);
      const table = engine.table(program);
      const weights = initialise(table, 7);
      scatterAffine(table, weights);
      const inputs = drawBatch(config, size, 11);
      const theirs = await askTorch({ config, size, table, weights, inputs, threads: 2 });
      const ours = await engine.gradients(program, weights, inputs);
      assert.ok(Math.abs(ours.loss - theirs.loss) < 1e-5 * theirs.loss, `loss ${ours.loss}, PyTorch ${theirs.loss}`);
      assert.equal(theirs.gradient.length, table.size);
      const apart = length(ours.gradient.map((value, at) => value - theirs.gradient[at]!)) / length(theirs.gradient);
      // Rounding alone gives 1e-6; each value within rounding of a kink (leaky ReLU, max pooling) adds up to 5e-5.
      assert.ok(apart < 1e-4, `gradients are ${apart} of their length apart`);
      test.diagnostic(`loss ${ours.loss}, PyTorch ${theirs.loss}; gradients ${apart} of their length apart`);
      for (const frozen of [false, true]) {
        const student = studentOf({ network: 'prob-unet-2d', variant, classes });
        const served = student.inferenceProgram(size.batch, [size.height, size.width]);
        const predictor = await engine.predictor(served, { frozen });
        const { probabilities } = await predictor.run(weights, { image: inputs['image']! });
        await predictor.dispose();
        assert.equal(probabilities!.length, theirs.probabilities.length);
        const worst = Math.max(...probabilities!.map((value, at) => Math.abs(value - theirs.probabilities[at]!)));
        assert.ok(worst < 1e-4, `probabilities are ${worst} apart`);
      }
    });
  }
});

function length(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

/** Moves scales and biases off their starting values, so that a mistaken one shows. */
function scatterAffine(table: ParameterTable, weights: Float32Array): void {
  const random = new Random(3);
  for (const { name, offset, shape } of table.rows) {
    if (!/\.(scale|bias)$/.test(name)) continue;
    for (let at = offset; at < offset + shape[0]!; at += 1) weights[at]! += random.uniform(-0.3, 0.3);
  }
}
