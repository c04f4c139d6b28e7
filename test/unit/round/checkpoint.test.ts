import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashWork, loadCheckpoint, saveCheckpoint } from '../../../server/src/round/checkpoint.ts';

const state = (step: number) => ({
  step,
  student: Float32Array.of(1, 2, 3),
  ema: Float32Array.of(4, 5, 6),
  firstMoment: Float32Array.of(7, 8, 9),
  secondMoment: Float32Array.of(10, 11, 12),
});

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-checkpoint-'));
  await run(folder).finally(() => rm(folder, { recursive: true }));
}

test('a checkpoint comes back bit for bit, with and without best weights', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'c');
    assert.equal(await loadCheckpoint(path, 't'), undefined);
    for (const best of [undefined, Float32Array.of(0.1, 0.2, 0.3)]) {
      const checkpoint = { workSha256: 'w', state: state(5), ...(best ? { best } : {}), extra: { random: 17 } };
      await saveCheckpoint(path, 't', checkpoint);
      assert.deepEqual(await loadCheckpoint(path, 't'), checkpoint);
    }
    assert.deepEqual(await readdir(folder), ['c'], 'no temporary file stays');
  }));

test('a checkpoint that is cut short or of another network counts as none', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'c');
    await saveCheckpoint(path, 't', { workSha256: 'w', state: state(1), extra: {} });
    assert.equal(await loadCheckpoint(path, 'other'), undefined);
    const whole = await readFile(path);
    for (const length of [0, 3, 20, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, length));
      assert.equal(await loadCheckpoint(path, 't'), undefined, `cut to ${length}`);
    }
  }));

test('weights that are no numbers are not saved, and the checkpoint before them stays', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'c');
    const good = { workSha256: 'w', state: state(1), extra: {} };
    await saveCheckpoint(path, 't', good);
    for (const name of ['student', 'ema', 'firstMoment', 'secondMoment'] as const) {
      const bad = { ...state(2), [name]: Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY) };
      const saving = saveCheckpoint(path, 't', { ...good, state: bad });
      await assert.rejects(saving, { code: 'training-not-finite', message: new RegExp(name) });
    }
    assert.deepEqual(await loadCheckpoint(path, 't'), good);
    assert.deepEqual(await readdir(folder), ['c']);
  }));

test('the hash of a run depends on its values and not on the order of its keys', () => {
  const hash = hashWork({ seed: 1, stage: { steps: 2, batch: [3, 4] } });
  assert.equal(hashWork({ stage: { batch: [3, 4], steps: 2 }, seed: 1 }), hash);
  assert.notEqual(hashWork({ stage: { batch: [4, 3], steps: 2 }, seed: 1 }), hash);
  assert.notEqual(hashWork({ stage: { batch: [3, 4], steps: 5 }, seed: 1 }), hash);
});
