import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Pool, Verdict } from '../../../extension/src/api/contract.ts';
import { id } from '../../../extension/src/id.ts';
import { describeDrift, describeRound } from '../../../extension/src/service/history-words.ts';
import { activeSeries, createSeriesState, isRoundActive } from '../../../extension/src/service/state.ts';
import { StateHolder } from '../../../extension/src/service/state-holder.ts';
import {
  countOf,
  describeLearning,
  describeMissing,
  describePool,
  describeStage,
  describeStrange,
  describeUncertainty,
  describeVerdict,
  describeWait,
  formatDice,
  formatMl,
  formatTimeLeft,
} from '../../../extension/src/service/words.ts';

const series = (uid: string) => ({
  studyInstanceUid: '1',
  seriesInstanceUid: uid,
  volume: null,
  displaySetInstanceUid: `d${uid}`,
  modality: 'MR',
  description: '',
});

test('the extension is registered under the name of its package', () => {
  const text = readFileSync(new URL('../../../extension/package.json', import.meta.url), 'utf8');
  const manifest: { name: string; keywords: string[] } = JSON.parse(text);
  assert.equal(id, manifest.name);
  assert.ok(manifest.keywords.includes('ohif-extension'));
});

test('each series keeps a state of its own while the active viewport changes', () => {
  const holder = new StateHolder();
  const states = { a: createSeriesState(series('a')), b: createSeriesState(series('b')) };
  holder.set({ ...holder.get(), activeDisplaySetUid: 'a', series: states });
  holder.patchSeries('a', { modelName: 'brain-mr' });
  holder.set({ ...holder.get(), activeDisplaySetUid: 'b' });
  assert.equal(activeSeries(holder.get())?.modelName, null);
  holder.set({ ...holder.get(), activeDisplaySetUid: 'a' });
  assert.equal(activeSeries(holder.get())?.modelName, 'brain-mr');
});

test('a state is replaced, never changed, and listeners hear of it until they stop', () => {
  const holder = new StateHolder();
  holder.set({ ...holder.get(), series: { a: createSeriesState(series('a')) } });
  const before = holder.get();
  let heard = 0;
  const stop = holder.subscribe(() => heard++);
  holder.patchSeries('a', { modelName: 'x' });
  holder.patchSeries('gone', { modelName: 'x' });
  holder.patchLearning('x', { problem: null });
  stop();
  holder.patchSeries('a', { modelName: 'y' });
  assert.equal(heard, 2);
  assert.equal(before.series['a']?.modelName, null);
});

test('numbers are shown as a reader expects them', () => {
  assert.deepEqual([0.123, 9.876, 12.34, 1450.6].map(formatMl), ['0.12 ml', '9.88 ml', '12.3 ml', '1,451 ml']);
  assert.deepEqual([1, 0.99999, 0.95].map(formatDice), ['1.000', '0.999', '0.950']);
  assert.deepEqual([countOf(1, 'slice'), countOf(1464, 'voxel')], ['1 slice', '1,464 voxels']);
  assert.deepEqual([3, 42, 130].map(formatTimeLeft), ['a few seconds left', 'about 40 s left', 'about 2 min left']);
});

test('stages and uncertainty are put into words, unknown stages too', () => {
  assert.equal(describeStage('retrieve'), 'Fetching the images');
  assert.equal(describeStage('polish'), 'Polish');
  assert.equal(
    describeWait({ message: 'No space.', hint: 'Free some.' }),
    'No space. Free some. The round goes on by itself from where it was.',
  );
  assert.deepEqual(
    [0, 0.2, 0.8].map((value) => describeUncertainty(value).word),
    ['low', 'moderate', 'high'],
  );
});

test('an image of another kind is told as such', () => {
  const model = { name: 'brain-mr', version: 1, sha256: '' };
  assert.equal(describeStrange({ isStrange: false, model }), null);
  assert.match(
    describeStrange({ isStrange: true, model }) ?? '',
    /unlike those that brain-mr was made for. Do not rely/,
  );
});

test('a segment that every fitting series shows is named when it was not found', () => {
  const segments = ['brain', 'lesion'].map((label, n) => ({ number: n + 1, label, voxels: 0, ml: 0, colour: [] }));
  assert.equal(describeMissing({ segments, missingSegments: [] }), null);
  assert.match(
    describeMissing({ segments, missingSegments: [1] }) ?? '',
    /^Not found: brain\. .* Do not rely on the mask/,
  );
});

const round = {
  ...{
    id: '1',
    trigger: 'person' as const,
    jobId: '2',
    model: 'm',
    fromVersion: 1,
    toVersion: null,
    state: 'done' as const,
  },
  ...{ labelledSlices: 0, replaySlices: 0, unlabelledSlices: 0, generalizedTeacher: '' },
  ...{ verdict: null, refusal: null, error: null, startedAt: null, finishedAt: null },
};

test('a verdict says in one sentence what becomes of the new version', () => {
  const verdict = {
    ...{ reason: '', word: null, inServiceDice: 0, candidateDice: 0, comparisons: [], cases: [] },
    ...{ heldOut: { patients: 0, needed: 10 }, rule: { epsilon: 0, margin: 0, segmentEpsilon: 0, hausdorffMm: 0 } },
    chosen: { arm: 'uncol' as const, source: 'student' as const, step: 1 },
  };
  const say = (outcome: Verdict['outcome'], toVersion: number | null, inService: number | null = null) =>
    describeVerdict({ ...round, toVersion }, { ...verdict, outcome }, inService);
  assert.equal(say('promoted', 2), 'Version 2 is in service.');
  assert.equal(say('refused', null), 'The new version was refused. Version 1 stays in service.');
  assert.match(say('promoted', 2, 1), /^Version 2 passed, and version 1 was put in service after it\.$/);
  assert.equal(say('waiting', 2, 2), 'Version 2 is in service.');
  const refused = { ...round, toVersion: 2, refusal: { reason: 'too small', at: '' } };
  assert.match(
    describeVerdict(refused, { ...verdict, outcome: 'waiting' }, 1),
    /^Version 2 was refused by an administrator \(too small\)\. Version 1 is in service\.$/,
  );
  assert.match(say('waiting', 2), /^Version 2 passed and waits for an administrator; until then/);

  const learnt = (chosen: Verdict['chosen'], unlabelledSlices: number) =>
    describeLearning({ ...round, unlabelledSlices }, { ...verdict, outcome: 'promoted', chosen });
  const supervised = { arm: 'supervised', source: 'student', step: 1 } as const;
  assert.match(learnt(verdict.chosen, 12) ?? '', /unchecked studies of the PACS\.$/);
  assert.match(
    learnt(supervised, 12) ?? '',
    /corrections alone: with unchecked studies beside them it was no better\.$/,
  );
  assert.match(learnt(supervised, 0) ?? '', /corrections alone\.$/);
  assert.equal(learnt({ arm: null, source: 'in-service', step: 0 }, 12), null);
});

test('the pool says when the model learns next, or what it waits for', () => {
  const pool = { model: 'm', labelledStudies: 2, labelledSlices: 9, heldOutStudies: 0, untilRound: 0 };
  const now = new Date(2026, 10, 26, 12);
  const say = (more: Partial<Pool>) =>
    describePool({ ...pool, waits: null, pause: null, pin: null, inService: 1, ...more }, now);
  const until = (for_: 'gap' | 'day' | 'hours', day: number, hour: number) =>
    say({ waits: { for: for_, until: new Date(2026, 10, day, hour).toISOString() } });
  assert.equal(say({ untilRound: 1 }), '1 more correction until the next learning round.');
  assert.equal(say({}), 'The next learning round is about to start.');
  assert.match(
    until('hours', 26, 20),
    /enough; the next learning round starts at 20:00 \(rounds have their hours\)\.$/,
  );
  assert.match(until('day', 27, 6), /starts on 27 Nov at 06:00 \(enough rounds for one day\)\.$/);
  assert.match(until('gap', 26, 13), /starts at 13:00 \(rounds keep their distance\)\.$/);
  assert.equal(
    say({ waits: { for: 'another-correction', until: null } }),
    'The next correction starts another learning round.',
  );
  const pause = { reason: 'scanner service', since: now.toISOString() };
  assert.equal(say({ untilRound: 3, pause }), 'Learning is paused by an administrator: scanner service');
});

test('history is told in a line a round, and a fall in a sentence', () => {
  const verdict = { outcome: 'promoted' } as Verdict;
  const finishedAt = new Date(2026, 10, 26, 20, 5).toISOString();
  assert.equal(
    describeRound({ ...round, toVersion: 2, finishedAt }, verdict),
    '26 Nov, 20:05: version 1 to 2, promoted',
  );
  const refusal = { reason: 'no', at: '' };
  assert.equal(
    describeRound({ ...round, toVersion: 2, refusal }, verdict),
    'version 1 to 2, refused by an administrator',
  );
  const drift = { latest: 0.7, before: 0.8, p: 0.001, isFalling: true };
  const version = { version: 3, corrections: 20, accepted: 1, dice: null, segments: [], drift };
  assert.match(
    describeDrift(version) ?? '',
    /^Masks of version 3 .*0\.700 in the latest ten corrections, 0\.800 earlier\.$/,
  );
  assert.equal(describeDrift({ ...version, drift: { ...drift, isFalling: false } }), null);
});

test('a round is active until it has a verdict or has failed', () => {
  assert.equal(isRoundActive(null), false);
  const states = ['planned', 'training', 'evaluating', 'done', 'failed'] as const;
  assert.deepEqual(
    states.map((state) => isRoundActive({ ...round, state })),
    [true, true, true, false, false],
  );
});
