import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../server/src/errors/app-error.ts';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
import { hasEnded, type JobRow, readJob } from '../../server/src/store/job-progress.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import { startTestDatabase } from './database.ts';

const surroundings = () => ({ log: createLog('silent'), metrics: createMetrics() });
const inferPayload = () => ({
  inferenceId: randomUUID(),
  studyInstanceUid: '1.2.3',
  seriesInstanceUid: '1.2.3.4',
  volume: '',
  model: { name: 'brain-mr', version: 1 },
});

describe('job queue on PostgreSQL', () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  let queue: JobQueue;
  const behaviour = new Map<string, (task: { signal: AbortSignal; attempt: number }) => Promise<void>>();

  before(async () => {
    test = await startTestDatabase();
    queue = await createJobQueue(test.database, surroundings());
    await queue.work('infer', async (task) => {
      task.report({ stage: 'segment', percent: 50, secondsLeft: 3 });
      await behaviour.get(task.payload.inferenceId)?.(task);
    });
  });
  after(async () => {
    await queue.stop();
    await test.close();
  });

  const until = async (id: string, wanted: (job: JobRow) => boolean): Promise<JobRow> => {
    for (let tries = 0; tries < 300; tries += 1) {
      const job = await readJob(test.database, id);
      if (job && wanted(job)) return job;
      await sleep(50);
    }
    throw new Error(`job ${id} did not get there: ${JSON.stringify(await readJob(test.database, id))}`);
  };
  const start = async (act: (task: { signal: AbortSignal; attempt: number }) => Promise<void>) => {
    const payload = inferPayload();
    behaviour.set(payload.inferenceId, act);
    const id = await queue.send('infer', payload, { owner: 'local' });
    assert.ok(id);
    return id;
  };

  it('announces every stage to a subscriber and ends as done', async () => {
    const payload = inferPayload();
    behaviour.set(payload.inferenceId, () => sleep(300));
    const seen: JobRow[] = [];
    const id = (await queue.send('infer', payload, { owner: 'local' })) ?? assert.fail();
    const unsubscribe = queue.subscribe(id, (job) => seen.push(job));
    const end = await until(id, (job) => hasEnded(job.state));
    await sleep(100);
    unsubscribe();
    assert.equal(end.state, 'done');
    assert.equal(end.percent, 100);
    assert.ok(seen.some((job) => job.stage === 'segment' && job.percent === 50 && job.secondsLeft === 3));
    assert.equal(seen.at(-1)?.state, 'done');
    const seqs = seen.map((job) => job.seq);
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
  });

  it('a fault of the input ends the job at once with its code', async () => {
    let tries = 0;
    const id = await start(async () => {
      tries += 1;
      throw new AppError('series-no-contrast', 'All voxels are 0.');
    });
    const end = await until(id, (job) => hasEnded(job.state));
    assert.equal(end.state, 'failed');
    assert.equal(end.error?.code, 'series-no-contrast');
    assert.equal(tries, 1);
  });

  it('a lost child is tried again, and meanwhile the job says why it waits', async () => {
    const attempts: number[] = [];
    const seen: JobRow[] = [];
    const id = await start(async (task) => {
      attempts.push(task.attempt);
      if (task.attempt === 0) throw new AppError('child-lost', 'The worker process ended by SIGKILL.');
    });
    const unsubscribe = queue.subscribe(id, (job) => seen.push(job));
    const waiting = await until(id, (job) => job.state === 'queued' && job.error !== null);
    assert.equal(waiting.error?.code, 'child-lost');
    const end = await until(id, (job) => hasEnded(job.state));
    unsubscribe();
    assert.deepEqual([end.state, end.error], ['done', null]);
    assert.deepEqual(attempts, [0, 1]);
    assert.ok(seen.every(({ state, error }) => state === 'queued' || error === null));
  });

  it('cancelling a running job aborts its signal within a second', async () => {
    let abortedAt = 0;
    const id = await start(
      (task) =>
        new Promise((_, reject) => {
          task.signal.addEventListener('abort', () => {
            abortedAt = Date.now();
            reject(new AppError('job-cancelled', 'The job was cancelled.'));
          });
        }),
    );
    await until(id, (job) => job.state === 'running');
    const cancelledAt = Date.now();
    assert.equal((await queue.cancel(id)).state, 'cancelled');
    await sleep(1000);
    assert.ok(abortedAt > 0 && abortedAt - cancelledAt < 1000, `aborted after ${abortedAt - cancelledAt} ms`);
    assert.equal((await readJob(test.database, id))?.state, 'cancelled');
  });

  it('cancelling a job that has ended leaves it, and an unknown one is refused', async () => {
    const id = await start(async () => undefined);
    await until(id, (job) => job.state === 'done');
    assert.equal((await queue.cancel(id)).state, 'done');
    await assert.rejects(queue.cancel(randomUUID()), { code: 'job-not-found' });
  });

  it('a job that is rolled back with its transaction was never there', async () => {
    let id: string | undefined;
    await assert.rejects(
      test.database.transaction(async (tx) => {
        id = await queue.send('infer', inferPayload(), { owner: 'local', tx });
        throw new Error('no');
      }),
      /no/,
    );
    assert.ok(id);
    assert.equal(await readJob(test.database, id), undefined);
  });

  it('one round a model runs and one more waits; another model is not held up', async () => {
    const send = (key: string) => queue.send('train', { roundId: randomUUID() }, { owner: 'server', key });
    const first = await send('brain-mr');
    assert.ok(first);
    assert.equal(await send('brain-mr'), undefined);
    assert.ok(await send('lesion-mr'));
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await queue.work('train', () => gate);
    await until(first, (job) => job.state === 'running');
    assert.ok(await send('brain-mr'), 'one may wait while one runs');
    assert.equal(await send('brain-mr'), undefined);
    release();
  });
});

describe('job queue after a crash', () => {
  it('a job whose whole server was killed runs again in another and ends once', { timeout: 60_000 }, async () => {
    const test = await startTestDatabase();
    const worker = (): ChildProcess =>
      fork(fileURLToPath(new URL('./jobs-worker.ts', import.meta.url)), [test.database.url], {
        execArgv: ['--import', import.meta.resolve('tsx')],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
    const queue = await createJobQueue(test.database, surroundings());
    const id = (await queue.send('infer', inferPayload(), { owner: 'local' })) ?? assert.fail();
    const first = worker();
    const [began] = (await once(first, 'message')) as [{ attempt: number }];
    assert.equal(began.attempt, 0);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const second = worker();
    const [again] = (await once(second, 'message')) as [{ attempt: number }];
    assert.equal(again.attempt, 1);
    second.send('finish');
    let job = await readJob(test.database, id);
    while (job && !hasEnded(job.state)) {
      await sleep(100);
      job = await readJob(test.database, id);
    }
    assert.equal(job?.state, 'done');
    second.kill('SIGKILL');
    await queue.stop();
    await test.close();
  });
});
