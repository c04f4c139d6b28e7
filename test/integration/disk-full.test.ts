import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toErrorRecord } from '../../server/src/errors/app-error.ts';
import { loadCheckpoint, saveCheckpoint, writeDurably } from '../../server/src/round/checkpoint.ts';
import { openBlobStore } from '../../server/src/store/blobs.ts';

/** Only root may mount, and not in every container. */
function mountSmallDisk(folder: string): string | false {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'uncol-test', folder], { encoding: 'utf8' });
  return mounted.status === 0 ? false : `no file system of 256 kB can be mounted here: ${mounted.stderr?.trim()}`;
}

const folder = await mkdtemp(join(tmpdir(), 'uncol-full-'));
const skip = mountSmallDisk(folder);

describe('a full disk', { skip }, () => {
  const state = (size: number, step: number) => {
    const vector = () => new Float32Array(size).fill(step);
    return { step, student: vector(), ema: vector(), firstMoment: vector(), secondMoment: vector() };
  };

  before(() => assert.equal(skip, false));
  after(async () => {
    spawnSync('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it('refuses a blob with its size and leaves nothing of it', async () => {
    const blobs = await openBlobStore(folder);
    await assert.rejects(blobs.put(new Uint8Array(500_000)), { code: 'disk-full', message: /500000/ });
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
    const kept = await blobs.put(Buffer.from('small'));
    assert.equal((await blobs.get(kept)).toString(), 'small');
  });

  it('keeps the checkpoint before, never half of the new one', async () => {
    const path = join(folder, 'checkpoint.bin');
    await saveCheckpoint(path, 'table', { workSha256: '', state: state(1000, 1), extra: {} });
    const thrown = await saveCheckpoint(path, 'table', { workSha256: '', state: state(40_000, 2), extra: {} }).catch(
      (error) => error,
    );
    assert.equal(toErrorRecord(thrown).code, 'disk-full');
    assert.equal((await loadCheckpoint(path, 'table'))?.state.step, 1);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('never takes a part of the weights for a candidate', async () => {
    const path = join(folder, 'candidate.weights.f32');
    await assert.rejects(writeDurably(path, [new Uint8Array(500_000)]), { code: 'ENOSPC' });
    assert.ok(!(await readdir(folder)).includes('candidate.weights.f32'));
  });
});
