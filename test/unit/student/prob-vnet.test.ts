import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { LossProgram, Tensor } from '../../../server/src/engine/ops.ts';
import { initialise } from '../../../server/src/engine/vectors.ts';
import { sinCosPositions } from '../../../server/src/student/prior-encoder.ts';
import { probVnet3d, type VnetConfig, vnetConfig } from '../../../server/src/student/prob-vnet.ts';
import { assertGradient, normals } from '../engine/finite-differences.ts';

const engine = createOnnxEngine({ threads: 2 });

/** Sum of each of the outputs under a fixed random weighting, so that all of them are differentiated. */
function vnetLoss(config: VnetConfig, side: number, posterior = false): LossProgram {
  const grid = [side / 16, side / 16, side / 16];
  return {
    inputs: {
      image: [1, 1, side, side, side],
      ...(posterior ? { posterior: [1, config.prior.channels, ...grid] } : {}),
    },
    build(ops, parameters, { image, posterior: attended }) {
      const options = attended ? { posterior: attended } : {};
      const outputs = probVnet3d(ops, parameters, config, image!, options);
      const weighted = (tensor: Tensor, seed: number): Tensor => {
        const count = tensor.shape.reduce((product, size) => product * size, 1);
        return ops.mean(ops.mul(ops.square(tensor), ops.constant(normals(seed, count), tensor.shape)));
      };
      const all = [...outputs.heads, outputs.logits, ...outputs.hidden, outputs.prior].map(weighted);
      const [first, second, third, fourth] = outputs.heads;
      const mean = ops.mul(ops.add(ops.add(first!, second!), ops.add(third!, fourth!)), ops.scalar(0.25));
      return {
        loss: all.reduce((sum, term) => ops.add(sum, term)),
        terms: {},
        outputs: { logits: outputs.logits, mean },
      };
    },
  };
}

describe('3D student', () => {
  for (const [classes, count] of [
    [2, 13_940_312],
    [3, 13_940_380],
    [5, 13_940_516],
  ] as const) {
    it(`has ${count} parameters with ${classes} classes`, () => {
      assert.equal(engine.table(vnetLoss(vnetConfig('full', classes), 32)).size, count);
    });
  }

  it('is of the published size in each part', () => {
    const sizes = new Map<string, number>();
    for (const { name, shape } of engine.table(vnetLoss(vnetConfig('full', 2), 32)).rows) {
      const part = name.split('.')[0] ?? '';
      sizes.set(part, (sizes.get(part) ?? 0) + shape.reduce((product, size) => product * size, 1));
    }
    assert.deepEqual(Object.fromEntries(sizes), {
      encoder: 7_373_088,
      prior: 4_212_992,
      fusion: 263_168,
      decoder: 2_063_216,
      heads: 27_848,
    });
  });

  it('answers the mean of its heads', async () => {
    const program = vnetLoss(vnetConfig('tiny', 3), 32);
    const state = initialise(engine.table(program), 4);
    const predictor = await engine.predictor({
      inputs: program.inputs,
      build: (ops, parameters, inputs) => program.build(ops, parameters, inputs).outputs ?? {},
    });
    const { logits, mean } = await predictor.run(state, { image: normals(2, 32 ** 3) });
    await predictor.dispose();
    assert.equal(logits?.length, 3 * 32 ** 3);
    const furthest = logits!.reduce((most, value, i) => Math.max(most, Math.abs(value - (mean?.[i] ?? 0))), 0);
    assert.ok(furthest < 1e-5, `${furthest}`);
  });

  it('has the gradient that finite differences find, with the prior and with a posterior', async () => {
    for (const posterior of [false, true]) {
      const config = vnetConfig('tiny', 2);
      const program = vnetLoss(config, 32, posterior);
      const inputs = {
        image: normals(3, 32 ** 3),
        ...(posterior ? { posterior: normals(5, config.prior.channels * 8) } : {}),
      };
      await assertGradient(program, initialise(engine.table(program), 5), {
        inputs,
        directions: 2,
        step: 2e-3,
        tolerance: 2e-2,
      });
    }
  });

  it('refuses a volume that does not fall into patches', () => {
    assert.throws(() => engine.table(vnetLoss(vnetConfig('tiny', 2), 24)), RangeError);
  });
});

describe('positions of a volume', () => {
  it('give sine and cosine of x, y and z a share each, and zeros to the rest', () => {
    // 20 features: 3 frequencies for each of 6, and 2 left over. Row 5 of a 2x2x2 grid is z 1, y 0, x 1.
    const row = sinCosPositions([2, 2, 2], 20).subarray(5 * 20, 6 * 20);
    const sine = [1, 0.01, 0.0001].map(Math.sin);
    const cosine = [1, 0.01, 0.0001].map(Math.cos);
    const expected = [...sine, ...cosine, 0, 0, 0, 1, 1, 1, ...sine, ...cosine, 0, 0];
    for (const [k, value] of expected.entries()) assert.ok(Math.abs(row[k]! - value) < 1e-6, `feature ${k}`);
  });
});
