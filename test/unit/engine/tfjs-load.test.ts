import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reasonOf, tfjsCandidates } from '../../../server/src/engine/tfjs/load.ts';
import { operatorProgram } from './finite-differences.ts';

/** The packages that npm leaves out where their libraries cannot be fetched. */
const optional = { cuda: '@tensorflow/tfjs-node-gpu', tensorflow: '@tensorflow/tfjs-node' } as const;

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

describe('candidates of TensorFlow.js', () => {
  it('come in the order of their speed', () => {
    assert.deepEqual(
      tfjsCandidates.map(({ reading, device }) => `${reading} ${device}`),
      ['tfjs cuda', 'tfjs tensorflow', 'tfjs webgpu', 'tfjs wasm', 'tfjs cpu'],
    );
  });

  for (const candidate of tfjsCandidates) {
    it(`${candidate.device} computes, or says in one line why it cannot`, async () => {
      const opened = await candidate.open({ threads: 1 }).catch((error: Error) => error);
      if (opened instanceof Error) {
        assert.ok(!['wasm', 'cpu'].includes(candidate.device), opened.message);
        assert.match(opened.message, /^\S[^\n]+$/);
        assert.doesNotMatch(opened.message, /(^|[\s'"(])(file:\/\/)?\/\w/);
        return;
      }
      const { engine } = opened;
      assert.deepEqual([engine.reading, engine.device], ['tfjs', candidate.device]);
      const program = operatorProgram([[1]], (ops, x) => ops.square(ops.square(x!)));
      const { gradient } = await engine.gradients(program, Float32Array.of(2), {});
      const { gradient: slope } = await engine.gradients(
        operatorProgram([[1]], (ops, x) => ops.neg(x!)),
        Float32Array.of(2),
        {},
      );
      assert.ok(Math.abs(gradient[0]! + 32 * slope[0]!) < 1e-5);
    });
  }

  for (const [device, name] of Object.entries(optional)) {
    const skip = isInstalled(name) ? `${name} is installed` : false;
    it(`${device} names its package where it is absent`, { skip }, async () => {
      const candidate = tfjsCandidates.find((each) => each.device === device)!;
      await assert.rejects(candidate.open({ threads: 1 }), {
        message: `Cannot find package '${name}' imported from load.ts`,
      });
    });
  }

  it('leave alone what the process does about failures nobody caught', async () => {
    await tfjsCandidates.find(({ device }) => device === 'wasm')!.open({ threads: 1 });
    const listeners = [...process.listeners('uncaughtException'), ...process.listeners('unhandledRejection')];
    const taken = listeners.map(String).filter((text) => /ExitStatus|throw reason/.test(text));
    assert.deepEqual(taken, []);
  });
});

describe('reason', () => {
  for (const [text, expected] of [
    [
      "Cannot find package '@tensorflow/tfjs-node' imported from /srv/app/server/src/engine/tfjs/load.ts",
      "Cannot find package '@tensorflow/tfjs-node' imported from load.ts",
    ],
    [
      '\nThe addon (tfjs_binding.node) can not be found at path: /srv/node_modules/a/tfjs_binding.node.\nRun npm rebuild.',
      'The addon (tfjs_binding.node) can not be found at path: tfjs_binding.node.',
    ],
    [
      'libtensorflow.so.2: cannot open shared object file: No such file or directory',
      'libtensorflow.so.2: cannot open shared object file: No such file or directory',
    ],
    ["Cannot find module 'C:\\app\\dawn.node'", "Cannot find module 'dawn.node'"],
    ['Failed at file:///srv/app/index.js:3', 'Failed at index.js:3'],
  ] as const) {
    it(`keeps the loader's text without folders: ${expected}`, () => {
      assert.equal(reasonOf(new Error(text)), expected);
    });
  }

  it('takes what is no error as text', () => {
    assert.equal(reasonOf('no adapter'), 'no adapter');
    assert.equal(reasonOf(new Error('')), 'it failed without a reason');
  });
});
