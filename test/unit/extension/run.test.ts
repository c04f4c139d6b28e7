import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../../extension/src/api/contract.ts';
import { isBusy, type Run, type RunEvent, reduceRun, wasAskedForVolume } from '../../../extension/src/service/run.ts';

const job = (fields: Partial<Job>): RunEvent => ({
  type: 'job',
  job: {
    id: '1',
    kind: 'infer',
    state: 'running',
    stage: 'segment',
    percent: 40,
    secondsLeft: null,
    figures: {},
    error: null,
    ...fields,
  },
});
const play = (...events: readonly RunEvent[]): Run => events.reduce(reduceRun, { phase: 'idle' });

test('a run goes from the press over the job to the drawn mask', () => {
  assert.deepEqual(play({ type: 'start' }), { phase: 'starting' });
  const running = play({ type: 'start' }, job({ state: 'queued' }), job({ percent: 60 }));
  assert.ok(running.phase === 'running' && running.job.percent === 60 && !running.isCancelling);
  assert.deepEqual(play({ type: 'start' }, job({ state: 'done' })), { phase: 'drawing' });
  assert.deepEqual(play({ type: 'start' }, job({ state: 'done' }), { type: 'drawn' }), { phase: 'idle' });
});

test('a failed job shows what happened and what to do', () => {
  const error = { code: 'series-missing-slices', message: 'Slice 12 is missing.', hint: 'Send it again.', seen: {} };
  const run = play({ type: 'start' }, job({ state: 'failed', error }));
  assert.ok(run.phase === 'failed');
  assert.deepEqual(run.problem, {
    code: 'series-missing-slices',
    title: 'The series was not segmented',
    detail: 'Slice 12 is missing.',
    hint: 'Send it again.',
  });
});

test('a refusal that names volumes asks the reader to choose, any other one is told', () => {
  const refused = (code: string) => {
    const error = {
      code,
      message: 'It holds 2 volumes.',
      hint: 'Choose.',
      seen: { volumes: ['EchoTime=4', 'EchoTime=30'] },
    };
    return play({ type: 'start' }, job({ state: 'failed', error }));
  };
  assert.equal(wasAskedForVolume(refused('series-several-volumes')), true);
  assert.equal(wasAskedForVolume(refused('series-missing-slices')), false);
});

test('cancelling is shown at once and survives further progress', () => {
  const run = play({ type: 'start' }, job({}), { type: 'cancel' }, job({ percent: 70 }));
  assert.ok(run.phase === 'running' && run.isCancelling && run.job.percent === 70);
  assert.deepEqual(reduceRun(run, job({ state: 'cancelled' })), { phase: 'cancelled' });
});

test('a job that ends before the cancel reaches it draws no mask', () => {
  assert.deepEqual(play({ type: 'start' }, job({}), { type: 'cancel' }, job({ state: 'done' })), {
    phase: 'cancelled',
  });
});

test('late news of an ended run changes nothing', () => {
  const ended = play({ type: 'start' }, job({ state: 'cancelled' }));
  for (const event of [job({}), job({ state: 'done' }), { type: 'cancel' }, { type: 'drawn' }] as const) {
    assert.equal(reduceRun(ended, event), ended);
  }
});

test('a second press while busy starts nothing', () => {
  const run = play({ type: 'start' }, job({}));
  assert.ok(isBusy(run));
  assert.equal(reduceRun(run, { type: 'start' }), run);
  assert.deepEqual(reduceRun({ phase: 'cancelled' }, { type: 'start' }), { phase: 'starting' });
});
