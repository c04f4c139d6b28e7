import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { type CaseScores, type ComparedCase, compareVersions } from '../../../server/src/round/compare.ts';

const rule = { epsilon: 0.005, margin: 0.01, segmentEpsilon: 0.02, hausdorffMm: 2 };
const scores = (...diceBySegment: number[]): CaseScores => ({
  dice: diceBySegment.reduce((sum, dice) => sum + dice, 0) / diceBySegment.length,
  diceBySegment,
  missed: 0,
  hausdorff95MmBySegment: diceBySegment.map(() => 4),
});
const cases = (inService: CaseScores, candidate: CaseScores, count = 12): ComparedCase[] =>
  Array.from({ length: count }, (_, n) => ({ subject: `base-${n}`, set: 'base', inService, candidate }));
const compare = (of: readonly ComparedCase[], segments = ['brain']) => compareVersions(of, rule, segments);

test('the mean may lose epsilon and no more', () => {
  assert.deepEqual(compare(cases(scores(0.8), scores(0.7951))).faults, []);
  assert.deepEqual(compare(cases(scores(0.8), scores(0.7949))).faults, [
    'mean Dice 0.795 against 0.800, the floor is 0.795',
  ]);
  assert.equal(compare(cases(scores(0.8), scores(Number.NaN))).word, 'worse');
});

test('a segment may not pay for another', () => {
  const of = cases(scores(0.8, 0.6), scores(0.9, 0.57));
  assert.deepEqual(compare(of, ['brain', 'thalamus']).faults, [
    'thalamus: Dice 0.570 against 0.600, the floor is 0.580',
  ]);
});

test('misses may not grow, wherever they are', () => {
  const missing = { ...scores(0.9), missed: 1 };
  const [first, ...others] = cases(scores(0.8), scores(0.9));
  const more = [{ ...first!, candidate: missing }, ...others];
  assert.deepEqual(compare(more).faults, ['1 structures missed altogether, 0 by the version in service']);
  const moved = [{ ...first!, inService: { ...scores(0.8), missed: 1 } }, { ...first!, candidate: missing }, ...others];
  assert.deepEqual(compare(moved).faults, []);
});

test('outlines may not move away, judged by the median where both versions have a distance', () => {
  const off = (mm: number | null) => ({ ...scores(0.9), hausdorff95MmBySegment: [mm] });
  assert.equal(compare(cases(off(4), off(6))).faults.length, 0);
  assert.match(compare(cases(off(4), off(6.1))).faults[0] ?? '', /^outlines lie 2\.1 mm further off/);
  const [first, ...others] = cases(off(4), off(4));
  assert.deepEqual(compare([{ ...first!, candidate: off(90) }, ...others]).faults, [], 'one outlier');
  assert.deepEqual(compare(cases(off(4), off(null))).faults, []);
});

test('better means that the interval over the subjects lies above 0, and that the gain is more than may be lost', () => {
  const gains = [0.02, 0.01, 0.03, 0.005, 0.02, 0.01, 0.02, 0.015, 0.01, 0.02];
  const steady = gains.map((gain, n) => ({ ...cases(scores(0.8), scores(0.8 + gain))[n]! }));
  const { word, gain } = compare(steady);
  assert.equal(word, 'better');
  assert.ok(Math.abs(gain.mean - 0.016) < 1e-12 && gain.low > 0 && gain.high > gain.mean);
  assert.deepEqual(compare(steady), compare(steady), 'the same each time');
  const lucky = gains.map((_, n) => ({ ...cases(scores(0.8), scores(n === 0 ? 0.96 : 0.8))[n]! }));
  assert.equal(compare(lucky).word, 'unclear', 'one subject proves nothing');
});

test('a loss as large as the margin must be ruled out: where the subjects cannot tell, it is unclear', () => {
  const spread = (of: readonly number[]) =>
    compare(of.map((gain, n) => ({ ...cases(scores(0.8), scores(0.8 + gain), of.length)[n]! })));
  // sd 0.02: twelve subjects leave the mean uncertain by 0.013, a hundred by 0.004.
  const even = (count: number, mean: number) => Array.from({ length: count }, (_, n) => mean + (n % 2 ? 0.02 : -0.02));
  assert.deepEqual([spread(even(12, 0)).word, spread(even(12, 0)).faults], ['unclear', []]);
  assert.equal(spread(even(100, 0)).word, 'not worse');
  assert.equal(spread(even(12, 0.004)).word, 'not worse');
  assert.equal(spread(even(100, 0.0051)).word, 'better');
  assert.equal(spread(even(1000, 0.0049)).word, 'not worse', 'no more than may be lost');
  assert.equal(spread(even(100, -0.02)).word, 'worse', 'a rule that is broken goes first');
});

test('a candidate that loses the margin passes in at most 5 % of comparisons', () => {
  const random = Random.for(7, 'margin');
  const jumpy = () => -0.01 + (random.next() < 0.1 ? random.normal(0.3) : random.normal(0.005));
  const passed = Array.from({ length: 1000 }, () =>
    compare(cases(scores(0.5), scores(0.5), 96).map((row) => ({ ...row, candidate: scores(0.5 + jumpy()) }))),
  ).filter(({ word }) => word === 'not worse' || word === 'better').length;
  assert.ok(passed <= 50, `${passed} of 1000`);
});

const gainless: Readonly<Record<string, (random: Random) => number>> = {
  normal: (random) => random.normal(0.03),
  // A largest component that is another one moves a subject's Dice by a lot, up or down.
  'almost none, with jumps': (random) => (random.next() < 0.1 ? random.normal(0.3) : random.normal(0.005)),
};

for (const [name, draw] of Object.entries(gainless)) {
  for (const subjects of [10, 12]) {
    test(`a candidate that is no better is called better in at most 5 % of comparisons: ${name}, ${subjects} subjects`, () => {
      const random = Random.for(5, name, subjects);
      const trials = 1000;
      const better = Array.from({ length: trials }, () =>
        compare(
          cases(scores(0.8), scores(0.8), subjects).map((row) => ({ ...row, candidate: scores(0.8 + draw(random)) })),
        ),
      ).filter(({ gain }) => gain.low > 0).length;
      assert.ok(better <= 0.05 * trials, `${better} of ${trials}`);
    });
  }
}

test('fewer than two subjects have no interval, and are not called better', () => {
  const { gain, word } = compare(cases(scores(0.8), scores(0.9), 1));
  assert.deepEqual([gain.low, gain.high, word], [Number.NaN, Number.NaN, 'not worse']);
});
