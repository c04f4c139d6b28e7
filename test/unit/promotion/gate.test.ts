import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GateCase, judge as judgeEvidence } from '../../../server/src/promotion/gate.ts';

const judge = (
  cases: readonly GateCase[],
  epsilon: number,
  isInService: boolean,
  newCorrections: number | null = 0.8,
) => judgeEvidence({ cases, isInService, newCorrections }, epsilon);

const cases = (inService: number, candidate: number, count = 10) =>
  Array.from({ length: count }, (_, i) => ({ subject: `s${i}`, inService, candidate }));

test('a candidate within epsilon of the version in service passes', () => {
  assert.equal(judge(cases(0.8, 0.7951), 0.005, false).passed, true);
  assert.equal(judge(cases(0.8, 0.9), 0.005, false).passed, true);
});

test('a candidate below the floor is refused and the sentence holds both figures', () => {
  const verdict = judge(cases(0.8, 0.7949), 0.005, false);
  assert.equal(verdict.passed, false);
  assert.match(verdict.reason, /0\.795 against 0\.800/);
});

test('the version in service itself is no candidate', () => {
  assert.equal(judge(cases(0.8, 0.8), 0.005, true).passed, false);
});

test('fewer than ten subjects decide nothing', () => {
  assert.equal(judge(cases(0.5, 0.9, 9), 0.005, false).passed, false);
});

test('a candidate without numbers is refused', () => {
  const rows = [...cases(0.8, 0.9, 10), { subject: 'x', inService: 0.8, candidate: Number.NaN }];
  assert.equal(judge(rows, 0.005, false).passed, false);
});

test('a candidate that cannot agree with the corrections it learnt from is refused, and says so', () => {
  const verdict = judge(cases(0.8, 0.9), 0.005, false, 0.62);
  assert.equal(verdict.passed, false);
  assert.match(verdict.reason, /contradict .*0\.620 .*0\.900/);
  assert.equal(judge(cases(0.8, 0.9), 0.005, false, 0.64).passed, true);
  assert.equal(judge(cases(0.8, 0.9), 0.005, false, Number.NaN).passed, false);
});

test('corrections without any foreground contradict nothing', () => {
  assert.equal(judge(cases(0.8, 0.9), 0.005, false, null).passed, true);
});
