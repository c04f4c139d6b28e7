import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engineCandidates, openEngine, openOnce } from '../../../server/src/engine/candidates.ts';
import { chooseEngine, describeChoice, engineName, type Openable } from '../../../server/src/engine/choose.ts';
import { hasCudaLibraries } from '../../../server/src/engine/onnx/session.ts';
import type { LossProgram } from '../../../server/src/engine/ops.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';

type Opened = { readonly isSoftware: boolean };

/** A device that is a GPU, an emulated one, or not there for a reason. */
function device(name: string, found: 'real' | 'emulated' | Error): Openable<Opened> {
  return {
    reading: 'onnx',
    device: name,
    open: async () => {
      if (found instanceof Error) throw found;
      return { isSoftware: found === 'emulated' };
    },
  };
}
const threads = { threads: 1 };

const sumOfSquares: LossProgram = {
  inputs: {},
  build: (ops, parameters) => ({
    loss: ops.sum(ops.square(parameters.get('x', [2], { kind: 'zeros' }))),
    terms: {},
  }),
};

describe('choice of the engine', () => {
  it('takes the first that opens and is not emulated, and remembers why not the ones before', async () => {
    const candidates = [device('a', new Error('no such library')), device('b', 'emulated'), device('c', 'real')];
    const choice = await chooseEngine('auto', [...candidates, device('d', 'real')], threads);
    assert.equal(choice.name, 'onnx-c');
    assert.deepEqual(choice.passedOver, [
      { name: 'onnx-a', reason: 'no such library' },
      { name: 'onnx-b', reason: 'its device is emulated by the CPU' },
    ]);
    assert.equal(
      describeChoice(choice),
      'onnx-c; passed over: onnx-a (no such library), onnx-b (its device is emulated by the CPU)',
    );
  });

  it('takes the one that is asked for, emulated or not, and tries no other', async () => {
    const candidates = [device('a', 'real'), device('b', 'emulated')];
    const choice = await chooseEngine('onnx-b', candidates, threads);
    assert.deepEqual([choice.name, choice.passedOver, describeChoice(choice)], ['onnx-b', [], 'onnx-b']);
  });

  it('refuses one that is asked for and not there, naming the reason', async () => {
    const candidates = [device('a', new Error('no such library')), device('b', 'real')];
    const refused = (wanted: string, message: RegExp) =>
      assert.rejects(chooseEngine(wanted, candidates, threads), (error) => {
        assert.ok(error instanceof AppError && error.code === 'engine-unavailable');
        assert.match(error.message, message);
        return true;
      });
    await refused('onnx-a', /onnx-a \(no such library\)/);
    await refused('onnx-c', /"onnx-c"; there are onnx-a, onnx-b and auto/);
    await assert.rejects(chooseEngine('auto', candidates.slice(0, 1), threads), /no such library/);
  });
});

describe('engines of this machine', () => {
  it('come with GPUs before the CPU, which runs what it is given, and what is only for tests behind it', async () => {
    const names = engineCandidates.map(engineName);
    assert.deepEqual(names.slice(0, 4), ['tfjs-cuda', 'onnx-cuda', 'onnx-webgpu', 'onnx-cpu']);
    assert.ok(
      names.slice(4).every((name) => name.startsWith('tfjs-')),
      names.join(', '),
    );
    const { name, opened } = await openEngine('onnx-cpu', threads);
    assert.equal(name, 'onnx-cpu');
    assert.equal(opened.isSoftware, false);
    assert.deepEqual(await opened.engine.gradients(sumOfSquares, Float32Array.of(1, -2), {}), {
      loss: 5,
      gradient: Float32Array.of(2, -4),
    });
  });

  it('say how to get the CUDA libraries where they are not there', { skip: hasCudaLibraries() }, async () => {
    await assert.rejects(openEngine('onnx-cuda', threads), /onnx-cuda \(the CUDA libraries .*cuda12` fetches them\)/);
  });

  it('are opened once and told once; a refusal is not kept', async () => {
    const said: string[] = [];
    const open = openOnce('onnx-cpu', threads, (line) => said.push(line));
    const [first, second] = await Promise.all([open(), open()]);
    assert.equal(first, second);
    assert.equal(await open(), first);
    assert.deepEqual(said, ['Engine onnx-cpu']);
    const refused = openOnce('onnx-none', threads, (line) => said.push(line));
    for (const _ of [1, 2]) await assert.rejects(refused(), { code: 'engine-unavailable' });
    assert.equal(said.length, 1);
  });

  it('always hold one that can be chosen', async () => {
    const { opened, name } = await openEngine('auto', threads);
    assert.equal(opened.isSoftware, false);
    assert.equal(name, engineName(opened.engine));
  });
});
