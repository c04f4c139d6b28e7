import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import { Lanes, laneCount, shapesOfLane } from '../../../server/src/engine/onnx/lanes.ts';
import { buildForward } from '../../../server/src/engine/onnx/programs.ts';
import type { ForwardProgram } from '../../../server/src/engine/ops.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { normals } from './finite-differences.ts';

it('a batch is shared out evenly, a thread each at least; one sample, a device and a profile are not', () => {
  const count = (batch: number, threads: number) => laneCount({ image: [batch, 1, 4, 4] }, { threads });
  assert.deepEqual([count(8, 2), count(8, 3), count(8, 16), count(6, 4), count(5, 4), count(1, 8)], [2, 2, 8, 3, 1, 1]);
  assert.equal(laneCount({ a: [8, 1], b: [6] }, { threads: 4 }), 2);
  assert.equal(laneCount({ image: [8, 1] }, { threads: 4, device: 'webgpu' }), 1);
  assert.equal(laneCount({ image: [8, 1] }, { threads: 4, profilePrefix: 'profile' }), 1);
  assert.deepEqual(shapesOfLane({ a: [8, 1, 4], b: [6] }, 2), { a: [4, 1, 4], b: [3] });
});

it('the student finds the same in four lanes as in one, in a whole batch and in the last one', async () => {
  const program = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 }).inferenceProgram(4, [32, 32]);
  const image = normals(3, 4 * 32 * 32);
  const [one, four] = [1, 4].map((threads) => createOnnxEngine({ threads }));
  const weights = normals(4, one!.table(program).size).map((value) => value * 0.1);
  const answers = [];
  for (const engine of [one!, four!]) {
    const predictor = await engine.predictor(program, { frozen: true });
    answers.push(
      await predictor.run(weights, { image }),
      await predictor.run(weights, { image: image.slice(0, 3 * 32 * 32) }),
      await predictor.run(
        weights.map((value) => -value),
        { image },
      ),
    );
    await predictor.dispose();
  }
  const [whole, last, other] = answers;
  assert.equal(last!['entropy']!.length, 3 * 32 * 32);
  assert.notDeepEqual(whole, other);
  for (const [n, expected] of [whole, last, other].entries()) {
    for (const name of ['probabilities', 'entropy']) {
      const apart = answers[n + 3]![name]!.map((value, at) => Math.abs(value - expected![name]![at]!));
      assert.ok(Math.max(...apart) < 1e-6, `${name} differs by ${Math.max(...apart)}`);
    }
  }
});

it('a graph that the runtime refuses and a lane that ends are engine faults', async () => {
  const shapes = { x: [2, 2] };
  await assert.rejects(Lanes.open(Uint8Array.of(1, 2, 3), shapes, 2, { threads: 2 }), { code: 'engine-failed' });
  const program: ForwardProgram = { inputs: shapes, build: (ops, _, { x }) => ({ y: ops.neg(x!) }) };
  const { bytes } = buildForward(program, 'cpu', new Float32Array(0));
  const lanes = await Lanes.open(bytes, shapes, 2, { threads: 2 });
  assert.deepEqual(await lanes.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) }), {
    y: Float32Array.of(-1, -2, -3, -4, -5, -6, -7, -8),
  });
  await assert.rejects(lanes.run({ x: new Float32Array(6) }), { code: 'engine-failed' });
  await lanes.close();
});

it('lanes that nobody closes do not keep the process', () => {
  const code = `
    import { Lanes } from './server/src/engine/onnx/lanes.ts';
    import { buildForward } from './server/src/engine/onnx/programs.ts';
    const program = { inputs: { x: [1] }, build: (ops, _, { x }) => ({ y: ops.neg(x) }) };
    const lanes = await Lanes.open(buildForward(program, 'cpu', new Float32Array(0)).bytes, program.inputs, 2, { threads: 2 });
    console.log((await lanes.run({ x: new Float32Array([1, 2]) })).y.join());`;
  const { stdout, status } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual([stdout.trim(), status], ['-1,-2', 0]);
});
