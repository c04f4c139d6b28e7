import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { LossProgram, Tensor } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { initialise } from '../../../server/src/engine/vectors.ts';
import { readVersion, seedFolder } from '../../../server/src/registry/registry.ts';
import { type Student, studentOf } from '../../../server/src/student/architecture.ts';
import { sinCosPositions } from '../../../server/src/student/prior-encoder.ts';
import { assertGradient, normals } from '../engine/finite-differences.ts';

const engine = createOnnxEngine({ threads: 2 });
const unet = (variant: 'full' | 'lite', classes: number): Student =>
  studentOf({ network: 'prob-unet-2d', variant, classes });

/** Sum of each of the outputs under a fixed random weighting, so that all of them are differentiated. */
function studentLoss(batch: number, side: number): LossProgram {
  const student = unet('lite', 2);
  const dropout = student.dropoutShapes(batch, [side, side]);
  return {
    inputs: {
      image: [batch, 1, side, side],
      ...Object.fromEntries(dropout.map((shape, level) => [`dropout${level}`, shape])),
    },
    build(ops, parameters, inputs) {
      const masks = dropout.map((_, level) => inputs[`dropout${level}`]!);
      const outputs = student.forward(ops, parameters, inputs['image']!, { dropout: masks });
      const weighted = (tensor: Tensor, seed: number): Tensor => {
        const count = tensor.shape.reduce((product, size) => product * size, 1);
        return ops.mean(ops.mul(ops.square(tensor), ops.constant(normals(seed, count), tensor.shape)));
      };
      const all = [...outputs.heads, outputs.logits, ...outputs.hidden, outputs.prior].map(weighted);
      return { loss: all.reduce((sum, term) => ops.add(sum, term)), terms: {}, outputs: { logits: outputs.logits } };
    },
  };
}

describe('student', () => {
  for (const [variant, classes, count] of [
    ['full', 2, 3_525_064],
    ['full', 5, 3_526_804],
    ['lite', 2, 827_368],
  ] as const) {
    it(`has ${count} parameters as ${variant} with ${classes} classes`, () => {
      assert.equal(engine.table(unet(variant, classes).inferenceProgram(1, [64, 64])).size, count);
    });
  }

  it('has the same parameters in training and at serving', () => {
    const serving = engine.table(unet('lite', 2).inferenceProgram(1, [128, 128]));
    assert.equal(engine.table(studentLoss(2, 32)).hash, serving.hash);
  });

  it('has the gradient that finite differences find', async () => {
    const program = studentLoss(2, 32);
    const random = new Random(11);
    const masks = unet('lite', 2)
      .dropoutShapes(2, [32, 32])
      .map((shape, level) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return [`dropout${level}`, Float32Array.from({ length: count }, () => (random.next() < 0.3 ? 0 : 1 / 0.7))];
      });
    const inputs = { image: normals(3, 2 * 32 * 32), ...Object.fromEntries(masks) };
    // Leaky ReLU and max pooling bend within a step, hence more than the 5e-3 of single operators.
    const check = { inputs, directions: 3, step: 2e-3, tolerance: 2e-2 };
    await assertGradient(program, initialise(engine.table(program), 5), check);
  });
});

describe('served student', () => {
  it('gives the logits of the training graph', async () => {
    const student = unet('full', 2);
    const program: LossProgram = {
      inputs: { image: [2, 1, 48, 32] },
      build(ops, parameters, { image }) {
        const { logits } = student.forward(ops, parameters, image!);
        return { loss: ops.mean(logits), terms: {}, outputs: { logits, probabilities: ops.softmax(logits, 1) } };
      },
    };
    const weights = initialise(engine.table(program), 9);
    const image = normals(4, 2 * 48 * 32);
    const optimiser = { kind: 'sgd', momentum: 0, weightDecay: 0 } as const;
    const empty = new Float32Array(weights.length);
    const state = { step: 0, student: weights, ema: weights, firstMoment: empty, secondMoment: empty };
    const trainer = await engine.trainer(program, optimiser, state);
    const { outputs: trained } = await trainer.step({ image }, { learningRate: 0, emaDecay: 1 });
    await trainer.dispose();
    for (const frozen of [false, true]) {
      const predictor = await engine.predictor(student.inferenceProgram(2, [48, 32]), { frozen });
      const served = await predictor.run(weights, { image });
      await predictor.dispose();
      assertClose(served['probabilities']!, trained['probabilities']!, 1e-5);
      const raw = await engine.predictor(
        {
          inputs: program.inputs,
          build: (ops, parameters, { image: x }) => ({ logits: student.forward(ops, parameters, x!).logits }),
        },
        { frozen },
      );
      const { logits } = await raw.run(weights, { image });
      await raw.dispose();
      assertClose(logits!, trained['logits']!, 1e-4);
    }
  });

  for (const [name, student, space] of [
    ['2D', unet('lite', 3), [32, 48]],
    ['3D', studentOf({ network: 'prob-vnet-3d', variant: 'tiny', classes: 3 }), [32, 16, 32]],
  ] as const) {
    it(`gives probabilities that sum to 1 and their normalised entropy, in ${name}`, async () => {
      const predictor = await engine.predictor(student.inferenceProgram(1, space));
      const weights = initialise(predictor.table, 2);
      const pixels = space.reduce<number>((product, size) => product * size, 1);
      const { probabilities, entropy } = await predictor.run(weights, { image: normals(8, pixels) });
      await predictor.dispose();
      assert.equal(entropy!.length, pixels);
      assert.equal(probabilities!.length, 3 * pixels);
      for (let pixel = 0; pixel < pixels; pixel += 1) {
        const p = [0, 1, 2].map((label) => probabilities![label * pixels + pixel]!);
        assert.ok(Math.abs(p[0]! + p[1]! + p[2]! - 1) < 1e-5);
        const expected = -p.reduce((sum, value) => sum + value * Math.log(value), 0) / Math.log(3);
        assert.ok(Math.abs(entropy![pixel]! - expected) < 1e-5);
      }
    });
  }

  for (const name of ['brain-mr', 'lesion-mr']) {
    it(`reads the weights of ${name} by the table of its card`, async () => {
      const { card } = (await readVersion(`${fileURLToPath(seedFolder)}${name}/1`, 'seed'))!;
      const table = engine.table(studentOf(card.architecture).inferenceProgram(1, [64, 64]));
      assert.equal(table.hash, card.weights.tableHash);
      assert.equal(table.size, card.architecture.inferenceParameters);
    });
  }

  it('refuses an image whose sides are no multiples of 16', () => {
    assert.throws(() => engine.table(unet('full', 2).inferenceProgram(1, [40, 32])), /\[1,1,40,32\]/);
    assert.throws(() => unet('full', 2).dropoutShapes(1, [32, 32, 32]), RangeError);
  });
});

describe('student with a posterior', () => {
  it('decodes from the posterior and not from its own prior', async () => {
    const student = unet('lite', 2);
    const predictor = await engine.predictor({
      inputs: { image: [1, 1, 32, 32], posterior: [1, 128, 2, 2] },
      build(ops, parameters, { image, posterior }) {
        const { logits, prior } = student.forward(ops, parameters, image!, { posterior: posterior! });
        return { logits, prior };
      },
    });
    const weights = initialise(predictor.table, 3);
    const image = normals(1, 32 * 32);
    const first = await predictor.run(weights, { image, posterior: normals(2, 512) });
    const second = await predictor.run(weights, { image, posterior: normals(3, 512) });
    const own = await predictor.run(weights, { image, posterior: first['prior']! });
    await predictor.dispose();
    assert.notDeepEqual(first['logits'], second['logits']);
    assert.deepEqual(first['prior'], second['prior']);
    const plain = await engine.predictor({
      inputs: { image: [1, 1, 32, 32] },
      build: (ops, parameters, { image: x }) => ({ logits: student.forward(ops, parameters, x!).logits }),
    });
    const { logits } = await plain.run(weights, { image });
    await plain.dispose();
    assertClose(logits!, own['logits']!, 1e-5);
  });
});

describe('positions', () => {
  it('are sine and cosine of x, then of y', () => {
    const row = [...sinCosPositions([2, 2], 8).slice(8, 16)];
    const expected = [0.841471, 0.0001, 0.540302, 1, 0, 0, 1, 1];
    for (const [index, value] of row.entries()) assert.ok(Math.abs(value - expected[index]!) < 1e-6);
  });
});

function assertClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0);
  assert.ok(worst < tolerance, `differs by ${worst}`);
}
