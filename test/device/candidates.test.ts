import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openEngine } from '../../server/src/engine/candidates.ts';
import { relativeDifference } from '../../server/src/engine/trial.ts';
import { initialise } from '../../server/src/engine/vectors.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { normals } from '../unit/engine/finite-differences.ts';
import { cpu, withoutAdapter } from './webgpu.ts';

const { VK_DRIVER_FILES: named, VK_ICD_FILENAMES: set } = process.env;
const isEmulated = /swiftshader|lvp/.test(named || set || '');

describe('WebGPU as an engine', { skip: withoutAdapter }, () => {
  it('is passed over where it is emulated, and taken where it is asked for', { skip: !isEmulated }, async () => {
    const chosen = await openEngine('auto', { threads: 1 });
    assert.notEqual(chosen.name, 'onnx-webgpu');
    assert.deepEqual(
      chosen.passedOver.filter(({ name }) => name === 'onnx-webgpu').map(({ reason }) => reason),
      ['its device is emulated by the CPU'],
    );
    const { name, opened } = await openEngine('onnx-webgpu', { threads: 1 });
    assert.deepEqual([name, opened.isSoftware, opened.engine.device], ['onnx-webgpu', true, 'webgpu']);
  });

  it('serves the student as the CPU does, weights frozen or fed', async () => {
    const { engine } = (await openEngine('onnx-webgpu', { threads: 1 })).opened;
    const program = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 }).inferenceProgram(2, [32, 32]);
    const weights = initialise(cpu.table(program), 5);
    const inputs = { image: normals(6, 2 * 32 * 32) };
    const reference = await cpu.predictor(program);
    const expected = await reference.run(weights, inputs);
    await reference.dispose();
    for (const frozen of [true, false]) {
      const predictor = await engine.predictor(program, { frozen });
      const actual = await predictor.run(weights, inputs);
      await predictor.dispose();
      for (const name of ['probabilities', 'entropy']) {
        const difference = relativeDifference(actual[name]!, expected[name]!);
        assert.ok(difference < 1e-5, `${name}, frozen ${frozen}: ${difference}`);
      }
    }
  });
});
