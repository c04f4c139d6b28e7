import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import { testGradients, testValues } from './contract.ts';
import { engine } from './finite-differences.ts';

describe('onnx reading', () => {
  testValues(engine);
  testGradients(engine);

  for (const threads of [1, 8]) {
    it(`sums probabilities over the pixels of a batch exactly on ${threads} threads`, async () => {
      const shape = [4, 2, 128, 128];
      const pixels = 128 * 128;
      const x = Float32Array.from({ length: 8 * pixels }, (_, at) => (at % 7 === 0 ? 0.03 : 0.993));
      const exact = (channel: number): number =>
        x.reduce((sum, value, at) => (Math.floor(at / pixels) % 2 === channel ? sum + value : sum), 0);
      const total = await createOnnxEngine({ threads }).predictor({
        inputs: { x: shape },
        build: (ops, _, inputs) => ({ y: ops.sum(inputs['x']!, [0, 2, 3]) }),
      });
      const { y } = await total.run(new Float32Array(0), { x });
      await total.dispose();
      for (const [channel, value] of y!.entries()) {
        const error = Math.abs(value / exact(channel) - 1);
        assert.ok(error < 5e-6, `channel ${channel} differs by ${error}`);
      }
    });
  }
});
