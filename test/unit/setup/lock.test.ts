import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../../server/src/setup/lock.ts';

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-lock-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('holders of one lock work one after the other, and who waits is told', async () => {
  await withFolder(async (folder) => {
    const events: string[] = [];
    const hold = (name: string) =>
      withLock(
        join(folder, 'lock'),
        async () => {
          events.push(`${name} in`);
          await sleep(100);
          events.push(`${name} out`);
        },
        () => events.push(`${name} waits`),
      );
    const first = hold('a');
    await sleep(50);
    await Promise.all([first, hold('b')]);
    assert.deepEqual(events, ['a in', 'b waits', 'a out', 'b in', 'b out']);
  });
});

test('work that throws frees the lock and passes its error on', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'lock');
    await assert.rejects(
      withLock(path, async () => {
        throw new Error('broken');
      }),
      /broken/,
    );
    assert.equal(await withLock(path, async () => 7), 7);
  });
});

test('the lock of a process killed outright is free at once', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'lock');
    const lockModule = new URL('../../../server/src/setup/lock.ts', import.meta.url).href;
    const script = `import { withLock } from ${JSON.stringify(lockModule)};
      await withLock(${JSON.stringify(path)}, async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60000)); });`;
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const startedAt = performance.now();
    await withLock(path, async () => {});
    assert.ok(performance.now() - startedAt < 2000);
  });
});

test('a folder that cannot be made is refused with its path', async () => {
  await assert.rejects(
    withLock('/dev/null/uncol/lock', async () => {}),
    /\/dev\/null\/uncol/,
  );
});
