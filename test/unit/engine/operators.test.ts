import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { Shape } from '../../../server/src/engine/ops.ts';
import { testGradients, testValues } from './contract.ts';
import { engine } from './finite-differences.ts';

describe('onnx reading', () => {
  testValues(engine);
  testGradients(engine);

  const long: readonly (readonly [Shape, readonly number[]])[] = [
    [[1, 2, 900_000], [2]],
    [[65_536, 2], [0]],
    [[4, 16_384, 2], [1]],
  ];
  for (const [shape, axes] of long) {
    it(`adds up ${shape.join(' x ')} along axis ${axes.join()} exactly`, async () => {
      const x = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.993);
      const total = await engine.predictor({
        inputs: { x: shape },
        build: (ops, _, inputs) => ({ sum: ops.sum(inputs['x']!, axes), mean: ops.mean(inputs['x']!, axes, true) }),
      });
      const { sum, mean } = await total.run(new Float32Array(0), { x });
      await total.dispose();
      const count = shape[axes[0]!]!;
      for (const value of sum!) assert.ok(Math.abs(value / count / Math.fround(0.993) - 1) < 1e-5, `${value}`);
      for (const value of mean!) assert.ok(Math.abs(value / Math.fround(0.993) - 1) < 1e-5, `${value}`);
    });
  }

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
