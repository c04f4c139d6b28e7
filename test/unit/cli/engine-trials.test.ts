import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseTried, type EngineRow, tryEngines, tryInChild } from '../../../server/src/cli/engine-trials.ts';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import { compareTrials, tryEngine } from '../../../server/src/engine/trial.ts';

describe('trial of an engine', () => {
  it('gives the same numbers each time, and tells other numbers apart', async () => {
    const engine = createOnnxEngine({ threads: 1 });
    const [first, second] = [await tryEngine(engine), await tryEngine(engine)];
    assert.equal(first.name, 'onnx-cpu');
    assert.ok(first.stepMs > 0 && Number.isFinite(first.loss));
    assert.equal(compareTrials(second, first), 0);
    const nudged = (values: Float32Array) => values.map((value) => value * 1.001);
    const difference = compareTrials({ ...second, gradient: nudged(second.gradient) }, first);
    assert.ok(Math.abs(difference - 1e-3) < 1e-5, `${difference}`);
    assert.ok(Number.isNaN(compareTrials({ ...second, probabilities: new Float32Array(1) }, first)));
  });

  it('is made in a process of its own, whose end is only a reason', async () => {
    const dying = await tryInChild('onnx-cpu', 1, new URL('./dying-child.ts', import.meta.url));
    assert.deepEqual(dying, { reason: 'trying it ended its process by SIGSEGV' });
  });

  it('gives one line where no driver finds a GPU', { skip: process.platform !== 'linux' }, async () => {
    const { VK_ICD_FILENAMES: before } = process.env;
    process.env['VK_ICD_FILENAMES'] = '/nowhere.json';
    const answer = await tryInChild('onnx-webgpu', 1);
    if (before === undefined) delete process.env['VK_ICD_FILENAMES'];
    else process.env['VK_ICD_FILENAMES'] = before;
    assert.ok('reason' in answer);
    assert.match(answer.reason, /^[^\n]*adapter[^\n]*$/);
  });

  it('tells which engine would be chosen, and refuses one whose results are wrong', async () => {
    const row = (device: string, rest: Partial<EngineRow>, isSoftware = false) => ({
      row: { reading: 'onnx', device, ok: true, maxRelativeDifference: 0, stepMs: 1, reason: null, ...rest } as const,
      isSoftware,
    });
    const absent = row('cuda', { ok: false, maxRelativeDifference: null, stepMs: null, reason: 'no libraries' });
    const emulated = row('webgpu', {}, true);
    const cpu = row('cpu', {});
    assert.equal(await chooseTried('auto', [absent, emulated, cpu]), 'onnx-cpu');
    assert.equal(await chooseTried('onnx-webgpu', [absent, emulated, cpu]), 'onnx-webgpu');
    await assert.rejects(chooseTried('onnx-cuda', [absent, cpu]), {
      code: 'engine-unavailable',
      message: /no libraries/,
    });
    const wrong = row('cuda', { ok: false, maxRelativeDifference: 0.1, reason: 'its results differ' });
    await assert.rejects(chooseTried('auto', [wrong, cpu]), {
      code: 'engine-failed',
      message: /onnx-cuda: its results/,
    });
  });

  it('shows each in its place, those that are not there with their reason', async () => {
    const rows = await tryEngines(
      [
        { reading: 'onnx', device: 'none' },
        { reading: 'onnx', device: 'cpu' },
      ],
      1,
    );
    const [none, cpu] = rows.map(({ row }) => row);
    assert.deepEqual(none, {
      reading: 'onnx',
      device: 'none',
      ok: false,
      maxRelativeDifference: null,
      stepMs: null,
      reason: 'there is no engine onnx-none',
    });
    assert.deepEqual([cpu?.ok, cpu?.maxRelativeDifference, cpu?.reason], [true, 0, null]);
  });
});
