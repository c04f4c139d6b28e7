import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, createChild } from '../../server/src/jobs/children.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';

interface Echo {
  readonly word: string;
  readonly pid: number;
  readonly secrets: readonly string[];
}

const never = new AbortController().signal;

describe('child process', { timeout: 120_000 }, () => {
  let child: Child<string, string, Echo>;
  const lines: string[] = [];
  const start = (idleMs = 60_000) => {
    child = createChild({
      kind: 'infer',
      entry: new URL('./jobs-echo-child.ts', import.meta.url),
      setUp: { word: 'secret' },
      idleMs,
      log: createLog('info', new Uint8Array(32), { write: (line) => lines.push(line) }),
      metrics: createMetrics(),
    });
    return (task: string, signal: AbortSignal = never, onProgress: (line: string) => void = () => {}) =>
      child.run(task, { signal, onProgress });
  };
  afterEach(() => child.close());

  it('starts with the first task, keeps its set-up, and is the same for the next', async () => {
    process.env['DATABASE_URL'] = 'postgres://x';
    const run = start();
    assert.equal(child.pid, undefined);
    const [first, second] = await Promise.all([run('echo'), run('echo')]);
    delete process.env['DATABASE_URL'];
    assert.deepEqual([first.word, first.pid, first.secrets], ['secret', child.pid, []]);
    assert.equal(second.pid, first.pid);
  });

  it('ends after its idle time and starts again when needed', async () => {
    const run = start(100);
    const first = await run('echo');
    await sleep(400);
    assert.equal(child.pid, undefined);
    assert.throws(() => process.kill(first.pid, 0));
    assert.notEqual((await run('echo')).pid, first.pid);
  });

  it('a task that comes just as it is ended for idleness runs in a new process and is not lost', async () => {
    const run = start(1);
    const pids = new Set<number>();
    for (let tries = 0; tries < 6; tries += 1) {
      pids.add((await run('echo')).pid);
      await sleep(1 + (tries % 3));
    }
    assert.ok(pids.size > 1, 'it was never ended for idleness');
  });

  it('a task that kills it is lost, and the next one runs in a new process after a pause', async () => {
    const run = start();
    await assert.rejects(run('die'), { code: 'child-lost', message: /code 7/ });
    const startedAt = performance.now();
    await run('echo');
    assert.ok(performance.now() - startedAt > 200, 'no pause before the restart');
  });

  it('cancelling kills it at once, also while it computes', async () => {
    const run = start();
    const control = new AbortController();
    let abortedAt = 0;
    const abort = () => {
      abortedAt = performance.now();
      control.abort();
    };
    const running = run('hang', control.signal, () => setTimeout(abort, 20));
    await assert.rejects(running, { code: 'job-cancelled' });
    assert.ok(performance.now() - abortedAt < 1000);
    assert.equal((await run('echo')).word, 'secret');
  });

  it('a task cancelled while it waits never starts', async () => {
    const run = start();
    const control = new AbortController();
    const seen: string[] = [];
    const first = run('count');
    const second = run('echo', control.signal, (line) => seen.push(line));
    control.abort();
    await first;
    await assert.rejects(second, { code: 'job-cancelled' });
    assert.deepEqual(seen, []);
  });

  it('hands on faults with their code, and foreign ones without their text', async () => {
    const run = start();
    await assert.rejects(run('refuse'), { code: 'series-no-contrast', detail: { voxels: 8 } });
    await assert.rejects(run('break'), (error: Error & { code: string }) => {
      return error.code === 'internal' && !error.message.includes('patient');
    });
  });

  it('writes what it notes into the log of its parent', async () => {
    await start()('note');
    const noted = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'Engine onnx-cpu');
    assert.deepEqual(
      noted.map(({ kind }) => kind),
      ['infer'],
    );
  });

  it('a held task stops before its next piece of work and goes on after the release', async () => {
    const run = start();
    const seen: string[] = [];
    let release = () => {};
    const running = run('count', never, (line) => {
      seen.push(line);
      if (line === 'step 1') release = child.hold();
    });
    for (let tries = 0; !seen.includes('step 1') && tries < 1000; tries += 1) await sleep(5);
    await sleep(150);
    const held = seen.length;
    assert.ok(held < 5, `it went on to ${seen.at(-1)}`);
    await sleep(150);
    assert.equal(seen.length, held);
    release();
    await running;
    assert.equal(seen.at(-1), 'step 5');
  });
});
