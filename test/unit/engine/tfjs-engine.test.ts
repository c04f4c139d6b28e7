import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { LossProgram } from '../../../server/src/engine/ops.ts';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { normals, engine as onnx } from './finite-differences.ts';
import { testPredictor } from './predictor-contract.ts';
import { tfjsEngines } from './tfjs-engines.ts';
import { testResuming, testTrainer } from './trainer-contract.ts';

/** A small text with every kind of kernel that keeps something for its gradient. */
const program: LossProgram = {
  inputs: { x: [2, 2, 4, 4] },
  build(ops, parameters, { x }) {
    const get = (name: string, ...shape: number[]) => parameters.get(name, shape, { kind: 'uniform', bound: 0.5 });
    const convolved = ops.conv(x!, get('w', 3, 2, 3, 3), ops.stopGradient(get('b', 3)));
    const normed = ops.gelu(ops.instanceNorm(convolved, get('scale', 3), get('bias', 3)));
    const down = ops.upsample2(ops.maxPool2(normed));
    const loss = ops.mean(ops.square(ops.softmax(ops.convUp(down, get('u', 3, 2, 2, 2)), 1)));
    return { loss, terms: { same: ops.neg(loss) }, outputs: { down, x: x! } };
  },
};

for (const engine of tfjsEngines) {
  describe(`tfjs reading on ${engine.device}`, () => {
    testPredictor(engine);
    testTrainer(engine);

    it('leaves no tensor behind, whatever it ran', async () => {
      const weights = initialise(engine.table(program), 1);
      const x = normals(2, 64);
      const before = tf.memory().numTensors;
      await engine.gradients(program, weights, { x });
      assert.equal(tf.memory().numTensors, before);

      for (const frozen of [false, true]) {
        const predictor = await engine.predictor(
          { inputs: program.inputs, build: (...given) => ({ y: program.build(...given).outputs!['down']! }) },
          { frozen },
        );
        await predictor.run(weights, { x });
        const whileRunning = tf.memory().numTensors;
        await predictor.run(weights, { x });
        await predictor.run(
          weights.map((value) => 2 * value),
          { x: x.slice(0, 32) },
        );
        assert.equal(tf.memory().numTensors, whileRunning);
        await predictor.dispose();
        assert.equal(tf.memory().numTensors, before);
      }

      for (const optimiser of [
        { kind: 'sgd', momentum: 0.9, weightDecay: 1e-4 },
        { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-4 },
      ] as const) {
        const trainer = await engine.trainer(program, optimiser, initialState(weights));
        const whileTraining = tf.memory().numTensors;
        for (let step = 0; step < 3; step += 1) {
          await trainer.step({ x }, { learningRate: 0.1, emaDecay: 0.9 });
          assert.equal(tf.memory().numTensors, whileTraining);
        }
        await trainer.load(await trainer.state());
        assert.equal(tf.memory().numTensors, whileTraining);
        await trainer.dispose();
        assert.equal(tf.memory().numTensors, before);
      }
    });

    it('gives a state that later steps do not change', async () => {
      const weights = initialise(engine.table(program), 1);
      const optimiser = { kind: 'sgd', momentum: 0.9, weightDecay: 0 } as const;
      const trainer = await engine.trainer(program, optimiser, initialState(weights));
      const [rates, x] = [{ learningRate: 0.1, emaDecay: 0.5 }, normals(2, 64)];
      await trainer.step({ x }, rates);
      const state = await trainer.state();
      const copy = structuredClone(state);
      await trainer.step({ x }, rates);
      await trainer.dispose();
      assert.deepEqual(state, copy);
      assert.notDeepEqual(state.student, weights);
    });

    it('refuses a text whose shapes do not fit before it computes anything', () => {
      const wrong: LossProgram = {
        inputs: { x: [2, 3] },
        build: (ops, _, { x }) => ({ loss: ops.matmul(x!, x!), terms: {} }),
      };
      assert.throws(() => engine.table(wrong), { name: 'RangeError', message: /matmul: \[2,3\] and \[2,3\]/ });
    });

    it('has the table of the onnx reading', () => {
      assert.deepEqual(engine.table(program), onnx.table(program));
    });
  });
}

describe('tfjs reading of a student', () => {
  testResuming(tfjsEngines[1]!, 4);
});
