import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countOverlap } from '../../../server/src/labelmap/metrics.ts';
import { concludeVerdict, type GateEvidence, judge as judgeBy } from '../../../server/src/promotion/gate.ts';
import type { ComparedCase } from '../../../server/src/round/compare.ts';
import { stackSlices } from '../../../server/src/round/labelled-volume.ts';
import { scoresOf } from '../../../server/src/round/measure.ts';

const rule = { epsilon: 0.005, margin: 0.01, segmentEpsilon: 0.02, hausdorffMm: 2 };
const scores = (dice: number, missed = 0) => ({ dice, diceBySegment: [dice], missed, hausdorff95MmBySegment: [3] });
const cases = (inService: number, candidate: number, count = 10, set: ComparedCase['set'] = 'base'): ComparedCase[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ subject: `${set}-${i}`, set },
    ...{ inService: scores(inService), candidate: scores(candidate) },
  }));
const judge = (of: readonly ComparedCase[], more: Partial<GateEvidence> = {}) =>
  judgeBy({ cases: of, isInService: false, newCorrections: 0.8, isErasure: false, ...more }, rule, ['lesion']);

test('a candidate that breaks no rule passes, and is called what it is', () => {
  const equal = judge(cases(0.8, 0.7951));
  assert.deepEqual([equal.passed, equal.word], [true, 'not worse']);
  const better = judge(cases(0.8, 0.9));
  assert.deepEqual([better.passed, better.word], [true, 'better']);
  assert.equal(
    better.reason,
    'Passed, better: mean Dice 0.900 against 0.800 in service (+0.100, 95 % interval +0.100 to +0.100) on 10 generated subjects that never train. Dice 0.800 with the new corrections. Base set only: 0 held-out patients, 10 are needed.',
  );
});

test('a candidate below the floor is refused and the sentence holds both figures', () => {
  const verdict = judge(cases(0.8, 0.7949));
  assert.deepEqual([verdict.passed, verdict.word], [false, 'worse']);
  assert.match(verdict.reason, /^Worse than allowed: mean Dice 0\.795 against 0\.800.* \(generated subjects\)\.$/);
});

test('ten held-out patients judge, too, and fewer do not', () => {
  const few = judge([...cases(0.8, 0.9), ...cases(0.8, 0.2, 9, 'held-out')]);
  assert.equal(few.passed, true);
  assert.match(few.reason, /Base set only: 9 held-out patients, 10 are needed\.$/);
  const enough = judge([...cases(0.8, 0.9), ...cases(0.8, 0.7, 10, 'held-out')]);
  assert.deepEqual([enough.passed, enough.comparisons.length], [false, 2]);
  assert.match(enough.reason, /mean Dice 0\.700 against 0\.800.* \(held-out patients\)\.$/);
  const both = judge([...cases(0.8, 0.8), ...cases(0.8, 0.85, 10, 'held-out')]);
  assert.deepEqual([both.passed, both.word], [true, 'better']);
  assert.match(both.reason, /on 10 generated subjects .*; mean Dice .* on 10 held-out patients that never train\./);
  assert.doesNotMatch(both.reason, /Base set only/);
});

test('a candidate of which the base set cannot tell is refused; patients are not asked for as much', () => {
  const uneven = (set: ComparedCase['set']) =>
    cases(0.8, 0.8, 10, set).map((row, n) => ({ ...row, candidate: scores(n % 2 === 0 ? 0.85 : 0.75) }));
  const unclear = judge(uneven('base'));
  assert.deepEqual([unclear.passed, unclear.word], [false, 'unclear']);
  assert.match(unclear.reason, /^These subjects cannot tell .* below -0\.010: mean Dice 0\.800 against 0\.800/);
  const patients = judge([...cases(0.8, 0.85), ...uneven('held-out')]);
  assert.deepEqual([patients.passed, patients.word], [true, 'better']);
});

test('the version in service itself is no candidate', () => {
  assert.equal(judge(cases(0.8, 0.8), { isInService: true }).passed, false);
});

test('fewer than ten subjects decide nothing', () => {
  const verdict = judge(cases(0.5, 0.9, 9));
  assert.deepEqual([verdict.passed, verdict.word], [false, null]);
});

test('a candidate without numbers is refused', () => {
  const [first, ...others] = cases(0.8, 0.9, 11);
  const verdict = judge([{ ...first!, candidate: scores(Number.NaN) }, ...others]);
  assert.deepEqual([verdict.passed, verdict.word], [false, null]);
});

test('a candidate that cannot agree with the corrections it learnt from is refused, and says so', () => {
  const verdict = judge(cases(0.8, 0.9), { newCorrections: 0.62 });
  assert.equal(verdict.passed, false);
  assert.match(verdict.reason, /contradict .*0\.620 .*0\.900/);
  assert.equal(judge(cases(0.8, 0.9), { newCorrections: 0.64 }).passed, true);
  assert.equal(judge(cases(0.8, 0.9), { newCorrections: Number.NaN }).passed, false);
});

test('corrections without any foreground contradict nothing', () => {
  assert.equal(judge(cases(0.8, 0.9), { newCorrections: null }).passed, true);
});

test('a round that only takes away what the version in service shows is held up, however good it is elsewhere', () => {
  const verdict = judge(cases(0.8, 0.9), { newCorrections: null, isErasure: true });
  assert.deepEqual([verdict.passed, verdict.word], [false, 'better']);
  assert.match(verdict.reason, /hold nothing where the version in service shows something/);
});

/** A mask of some voxels, the first ones, on a subject whose truth holds nothing. */
function onNothing(voxels: number) {
  const volume = stackSlices(
    Array.from({ length: 12 }, () => ({
      ...{ image: new Float32Array(256).fill(0.5), label: new Uint8Array(256), known: new Uint8Array(256).fill(1) },
    })),
    { size: [16, 16, 0], spacingMm: [2, 2, 2] },
  );
  const labels = volume.label.map((_, n) => Number(n < voxels));
  return scoresOf({ labels, overlaps: [countOverlap(labels, volume.label, 1)] }, volume);
}

test('of subjects that hold nothing, nothing found is right and 500 voxels are a false alarm (S14)', () => {
  const nothing = onNothing(0);
  const alarm = onNothing(500);
  assert.deepEqual(
    [nothing, alarm],
    [
      { dice: 1, diceBySegment: [1], missed: 0, hausdorff95MmBySegment: [0] },
      { dice: 0, diceBySegment: [0], missed: 0, hausdorff95MmBySegment: [null] },
    ],
  );
  const withTwo = (inService: typeof nothing, candidate: typeof nothing) => [
    ...cases(0.8, 0.8, 8),
    ...[0, 1].map((n) => ({ subject: `base-empty-${n}`, set: 'base' as const, inService, candidate })),
  ];
  for (const [inService, candidate, passed, word, mean] of [
    [nothing, nothing, true, 'not worse', 0.84],
    [nothing, alarm, false, 'worse', 0.64],
    // Gains of 1 on two subjects of ten spread too far for Student's t to tell.
    [alarm, nothing, false, 'unclear', 0.84],
    [alarm, alarm, true, 'not worse', 0.64],
  ] as const) {
    const verdict = judge(withTwo(inService, candidate));
    assert.deepEqual([verdict.passed, verdict.word], [passed, word], verdict.reason);
    assert.ok(Math.abs(verdict.candidateDice - mean) < 1e-9, `${verdict.candidateDice}`);
    assert.doesNotMatch(JSON.stringify(verdict) + verdict.reason, /NaN|Infinity/);
  }
  const empty = judge(
    Array.from({ length: 10 }, (_, n) => ({ ...withTwo(nothing, nothing)[8]!, subject: `base-${n}` })),
  );
  assert.deepEqual([empty.passed, empty.word, empty.candidateDice], [true, 'not worse', 1]);
});

test('by itself only one serves that is shown to be better; what is not worse waits for a person, who is told so', () => {
  const better = judge(cases(0.8, 0.9));
  assert.deepEqual(concludeVerdict(better, 'auto'), { outcome: 'promoted', reason: better.reason });
  assert.deepEqual(concludeVerdict(better, 'ask'), { outcome: 'waiting', reason: better.reason });
  const equal = judge(cases(0.8, 0.8));
  const { outcome, reason } = concludeVerdict(equal, 'auto');
  assert.equal(outcome, 'waiting');
  assert.match(reason, /^Passed, not worse: .* It is not shown to be better: a person decides whether it serves\.$/);
  const patients = judge([...cases(0.8, 0.8), ...cases(0.8, 0.85, 10, 'held-out')]);
  assert.equal(concludeVerdict(patients, 'auto').outcome, 'promoted', 'where the patients show it');
  const worse = judge(cases(0.8, 0.7));
  for (const promotion of ['auto', 'ask'] as const)
    assert.deepEqual(concludeVerdict(worse, promotion), { outcome: 'refused', reason: worse.reason });
});
