import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { withLock } from '../../../server/src/setup/lock.ts';

/** A promise and what fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

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
    const path = join(folder, 'lock');
    const events: string[] = [];
    const holding = gate();
    const waiting = gate();
    const first = withLock(path, async () => {
      events.push('a in');
      holding.open();
      await waiting.opened;
      events.push('a out');
    });
    await holding.opened;
    const tell = () => {
      events.push('b waits');
      waiting.open();
    };
    await Promise.all([first, withLock(path, async () => void events.push('b in'), tell)]);
    assert.deepEqual(events, ['a in', 'b waits', 'a out', 'b in']);
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
