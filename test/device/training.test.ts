import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Arrays, LossProgram } from '../../server/src/engine/ops.ts';
import { relativeDifference } from '../../server/src/engine/trial.ts';
import { initialise } from '../../server/src/engine/vectors.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { collaborateProgram } from '../../server/src/uncol/collaborate.ts';
import { pretrainProgram } from '../../server/src/uncol/pretrain.ts';
import { collaborationSettingsSchema } from '../../server/src/uncol/settings.ts';
import { normals } from '../unit/engine/finite-differences.ts';
import { cpu, placed, withoutAdapter } from './webgpu.ts';

const frame = { space: [32, 32] };
const student = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const volumeStudent = studentOf({ network: 'prob-vnet-3d', variant: 'tiny', classes: 2 });
const settings = collaborationSettingsSchema.parse({ totalSteps: 10, visualWeight: 0.1 });
/** A generalized teacher's, for distillation. */
const maps = { visual: [6, 6], semantic: 4 };

/** Logits and heads, squared: every parameter that a loss can reach has a gradient. */
const vnet: LossProgram = {
  inputs: { image: [1, 1, 16, 16, 16] },
  build(ops, parameters, { image }) {
    const { heads, logits } = volumeStudent.forward(ops, parameters, image!);
    const parts = [ops.logSoftmax(logits, 1), ...heads].map((part) => ops.mean(ops.square(part)));
    return { loss: parts.reduce((sum, part) => ops.add(sum, part)), terms: {} };
  },
};

const programs: readonly [string, LossProgram][] = [
  ['stage 1 of the 2D student', pretrainProgram(student, { batch: 2, ...frame }, maps)],
  ['stage 2 of the 2D student', collaborateProgram(student, { pairs: 1, ...frame }, settings, maps)],
  ['a loss of the 3D student', vnet],
];

/** Random inputs, each in the range of its kind. */
function inputsOf({ inputs }: LossProgram): Arrays {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, shape], index) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const share = /specialized|threshold|distillation|temperature/.test(name);
      const range = (value: number): number => {
        if (name === 'labels') return value > 0 ? 1 : 0;
        if (/^(known|mask|answered|kept)$/.test(name)) return value > -0.5 ? 1 : 0;
        return share ? Math.min(1, 0.1 + Math.abs(value) / 2) : value;
      };
      return [name, normals(3 + index, count).map(range)];
    }),
  );
}

describe('training graphs on WebGPU', { skip: withoutAdapter }, () => {
  for (const [name, program] of programs) {
    it(`of ${name} give the loss and the gradient of the CPU, computed on the device`, async (test) => {
      const weights = initialise(cpu.table(program), 4);
      const inputs = inputsOf(program);
      const { result, placement } = await placed((engine) => engine.gradients(program, weights, inputs));
      const expected = await cpu.gradients(program, weights, inputs);
      assert.ok(Math.abs(result.loss - expected.loss) <= 1e-5 * expected.loss, `${result.loss}, ${expected.loss}`);
      // Norms over the few voxels of the lowest levels enlarge rounding: how much is seen where every weight is moved
      // by half of its last bit. No engine can be nearer to another one than that.
      const signs = normals(9, weights.length);
      const moved = weights.map((value, index) => value * (1 + Math.sign(signs[index]!) * 2 ** -24));
      const rounding = relativeDifference((await cpu.gradients(program, moved, inputs)).gradient, expected.gradient);
      const difference = relativeDifference(result.gradient, expected.gradient);
      test.diagnostic(`${name}: gradient differs by ${difference}, rounding of the weights moves it by ${rounding}`);
      assert.ok(difference <= Math.max(1e-5, 2 * rounding), `relative difference ${difference}, rounding ${rounding}`);
      assert.ok(rounding < 1e-4, `rounding ${rounding}: these inputs cannot tell a fault from it`);
      assert.ok(placement.onDevice > 1000);
      assert.deepEqual(placement.elsewhere, []);
    });
  }
});
