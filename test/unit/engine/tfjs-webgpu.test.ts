import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { tfjsCandidates } from '../../../server/src/engine/tfjs/load.ts';
import { testGradients, testValues } from './contract.ts';
import { operatorProgram } from './finite-differences.ts';
import { testPredictor } from './predictor-contract.ts';
import { testTrainer } from './trainer-contract.ts';

// The adapter that Debian's chromium-common brings: the CPU in place of a GPU.
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (existsSync(swiftShader)) process.env['VK_ICD_FILENAMES'] ??= swiftShader;

const candidate = tfjsCandidates.find(({ device }) => device === 'webgpu')!;
const opened = await candidate.open({ threads: 1 }).catch((error: Error) => error.message);

describe('tfjs reading on webgpu', () => {
  if (typeof opened === 'string') {
    it('has an adapter to compute on', (test) => {
      if (process.env['CI']) assert.fail(opened);
      test.skip(opened);
    });
    return;
  }
  testValues(opened.engine);
  testGradients(opened.engine);
  testPredictor(opened.engine);
  testTrainer(opened.engine);

  // Last, since it spoils the device.
  it('refuses results once the device has answered with an error', async () => {
    const { engine } = opened;
    const program = operatorProgram([[2]], (ops, x) => ops.square(x!));
    await engine.gradients(program, Float32Array.of(1, 2), {});
    const { device } = tf.backend() as unknown as { device: { createShaderModule(text: { code: string }): void } };
    device.createShaderModule({ code: 'no shader' });
    await assert.rejects(engine.gradients(program, Float32Array.of(1, 2), {}), { code: 'engine-failed' });
  });
});
