import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Arrays, Engine, LossProgram, Shape, Tensor } from '../../../server/src/engine/ops.ts';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { probVnet3d, vnetConfig } from '../../../server/src/student/prob-vnet.ts';
import { collaborateProgram } from '../../../server/src/uncol/collaborate.ts';
import { pretrainProgram } from '../../../server/src/uncol/pretrain.ts';
import { collaborationSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { drawInputs } from '../../fixtures/draw-inputs.ts';
import { normals, engine as onnx } from './finite-differences.ts';
import { openTfjs } from './tfjs-engines.ts';

const tfjs = await openTfjs('wasm');
const student = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 3 });
const frame = { space: [32, 32] };
const maps = { visual: [5, 5], semantic: 4 };
const stage1 = pretrainProgram(student, { batch: 3, ...frame }, maps);
const stage2 = collaborateProgram(student, { pairs: 1, ...frame }, collaborationSettingsSchema.parse({}), maps);

const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Cross-entropy of the mean logits, and a fixed random weighting of every other output, so that all are differentiated. */
function volumeLoss(shape: Shape): LossProgram {
  return {
    inputs: { image: [1, 1, ...shape] },
    build(ops, parameters, { image }) {
      const { heads, logits, hidden, prior } = probVnet3d(ops, parameters, vnetConfig('tiny', 2), image!);
      const weighted = (tensor: Tensor, seed: number): Tensor =>
        ops.mean(ops.mul(ops.square(tensor), ops.constant(normals(seed, sizeOf(tensor.shape)), tensor.shape)));
      const surprise = ops.neg(ops.mean(ops.slice(ops.logSoftmax(logits, 1), 1, 1, 2)));
      const terms = [...heads, ...hidden, prior].map(weighted);
      return { loss: terms.reduce((sum, term) => ops.add(sum, term), surprise), terms: { surprise } };
    },
  };
}

function lengthOf(vector: ArrayLike<number>): number {
  return Math.sqrt(Array.from(vector).reduce((sum, value) => sum + value * value, 0));
}

function differenceOf(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return lengthOf(a.map((value, index) => value - b[index]!));
}

/**
 * Loss and the gradient of each parameter: both readings sum in single precision, but in another order, which the norms
 * of a deep net scale up to some 1e-5. A gradient below 1e-6 of the whole counts as one of that length: the bias of the
 * keys moves all scores of a softmax alike, so that its gradient is rounding noise.
 */
async function assertSameGradients(program: LossProgram, inputs: Arrays): Promise<void> {
  const table = onnx.table(program);
  const weights = initialise(table, 3);
  const expected = await onnx.gradients(program, weights, inputs);
  const actual = await tfjs.gradients(program, weights, inputs);
  assert.ok(Math.abs(actual.loss - expected.loss) < 1e-4 * Math.abs(expected.loss), `${actual.loss}, ${expected.loss}`);
  const whole = lengthOf(expected.gradient);
  assert.ok(whole > 0.01, `a gradient of length ${whole} says nothing`);
  for (const { name, shape, offset } of table.rows) {
    const of = (gradient: Float32Array): Float32Array => gradient.subarray(offset, offset + sizeOf(shape));
    const difference = differenceOf(of(expected.gradient), of(actual.gradient));
    const relative = difference / Math.max(lengthOf(of(expected.gradient)), 1e-6 * whole);
    assert.ok(relative < 1e-4, `${name} differs by ${relative}`);
  }
}

describe('both readings of one text', () => {
  it('have the same table', () => {
    for (const program of [stage1, stage2, volumeLoss([16, 16, 16])]) {
      assert.deepEqual(tfjs.table(program), onnx.table(program));
    }
  });

  it('have the same loss and gradients in stage 1', () =>
    assertSameGradients(stage1, drawInputs(stage1, student.classes, 1)));

  it('have the same loss and gradients in stage 2', () =>
    assertSameGradients(stage2, drawInputs(stage2, student.classes, 2)));

  // No larger volume: at 32x32x16 a change of 1e-7 of the weights moves the onnx reading's own gradient by 8e-3, since a
  // few voxels in the deep norms put ReLUs on the brink.
  it('have the same loss and gradients of a volume', () => {
    const shape = [16, 16, 16];
    return assertSameGradients(volumeLoss(shape), { image: normals(4, sizeOf(shape)) });
  });

  it('serve the same probabilities, also of a smaller batch', async () => {
    const program = student.inferenceProgram(2, frame.space);
    const weights = initialise(onnx.table(program), 5);
    const image = normals(6, 2 * frame.space[0]! * frame.space[1]!);
    const served = async (engine: Engine, given: Float32Array): Promise<Arrays> => {
      const predictor = await engine.predictor(program, { frozen: true });
      const outputs = await predictor.run(weights, { image: given });
      await predictor.dispose();
      return outputs;
    };
    for (const given of [image, image.slice(0, frame.space[0]! * frame.space[1]!)]) {
      const [expected, actual] = [await served(onnx, given), await served(tfjs, given)];
      for (const name of ['probabilities', 'entropy']) {
        assert.equal(actual[name]!.length, expected[name]!.length);
        const worst = actual[name]!.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - expected[name]![i]!)),
          0,
        );
        assert.ok(worst < 1e-4, `${name} differ by ${worst}`);
      }
    }
  });

  // With the usual epsilon of 1e-8 AdamW divides a gradient that is rounding noise by its own size: in one engine alone a
  // change of the weights by 1e-7 has then grown to 7e-4 of a loss by the fifth step. A larger one keeps noise small.
  for (const optimiser of [
    { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weightDecay: 1e-2 },
    { kind: 'sgd', momentum: 0.9, weightDecay: 1e-4 },
  ] as const) {
    it(`go through the same losses and terms in five steps of ${optimiser.kind}`, async () => {
      const start = initialState(initialise(onnx.table(stage2), 3));
      const readings = [
        await onnx.trainer(stage2, optimiser, start),
        await tfjs.trainer(stage2, optimiser, start),
      ] as const;
      for (let step = 0; step < 5; step += 1) {
        const rates = { learningRate: optimiser.kind === 'sgd' ? 0.05 : 1e-3, emaDecay: 0.9 };
        const inputs = drawInputs(stage2, student.classes, 3);
        const [expected, actual] = [await readings[0].step(inputs, rates), await readings[1].step(inputs, rates)];
        const seen = { loss: actual.loss, ...actual.terms };
        for (const [name, value] of Object.entries({ loss: expected.loss, ...expected.terms })) {
          const difference = Math.abs(seen[name as keyof typeof seen] - value);
          assert.ok(difference <= 1e-4 * Math.abs(value), `${name} of step ${step} differs by ${difference}`);
        }
      }
      const [expected, actual] = [await readings[0].state(), await readings[1].state()];
      if (optimiser.kind === 'sgd') {
        const moved = differenceOf(expected.ema, start.ema);
        assert.ok(moved > 0.001 && differenceOf(expected.ema, actual.ema) < 1e-4 * moved, 'the EMAs differ');
      }
      for (const reading of readings) await reading.dispose();
    });
  }
});
