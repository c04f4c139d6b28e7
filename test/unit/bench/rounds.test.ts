import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allJobs } from '../../bench/rounds-experiments.ts';
import { poisonMasks, poisons } from '../../bench/rounds-poison.ts';
import { report } from '../../bench/rounds-report.ts';

const columns = 40;
const rows = 30;

/** A head of three slices with a lesion in columns 4 to 7 and rows 10 to 14 of the middle one. */
function makeSubject() {
  const truth = new Uint8Array(columns * rows * 3);
  for (let row = 10; row < 15; row++) truth.fill(1, columns * (rows + row) + 4, columns * (rows + row) + 8);
  const geometry = { size: [columns, rows, 3] };
  return { truth, series: { volume: { geometry } } } as unknown as Parameters<typeof poisonMasks>[1];
}

test('a wrong mask shares nothing with the truth, and slices that nobody approved stay empty', () => {
  const subject = makeSubject();
  for (const poison of poisons) {
    const labels = poisonMasks(poison, subject, new Set([1]), 3);
    const shared = labels.reduce((sum, label, at) => sum + (label & (subject.truth[at] ?? 0)), 0);
    assert.equal(shared, 0, poison);
    const inSlice = (k: number) => labels.subarray(k * columns * rows, (k + 1) * columns * rows).includes(1);
    assert.deepEqual([inSlice(0), inSlice(1), inSlice(2)], [false, poison !== 'empty', false], poison);
  }
});

test('every job of the rounds has a name of its own', () => {
  const names = allJobs().map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

test('a promoted wrong mask, a candidate called better too often and a loss are told', () => {
  const round = { arm: 'flipped', seed: 1, verdict: 'promoted', word: 'not worse', why: 'no rule broken', chosen: 'a' };
  const old = {
    seed: 1,
    domain: 'G',
    slices: 5,
    arm: 'uncol',
    oldBefore: 0.8,
    oldAfter: 0.75,
    verdict: 'promoted',
    replay: true,
  };
  const text = report([
    { experiment: 'poison', ...round },
    { experiment: 'a-a', arm: 'perturbed', seed: 1, verdict: 'promoted', word: 'better', before: 0.8, after: 0.79 },
    { experiment: 'old-domain', ...old },
    // What the round offered is what one way of learning gave: it counts once.
    { experiment: 'old-domain', ...old, arm: 'round' },
    { experiment: 'old-domain', ...old, seed: 2, oldAfter: 0.7, verdict: 'waiting' },
  ]);
  assert.match(text, /In 1 rounds it \*\*does not hold\*\*: flipped, seed 1/);
  assert.match(text, /Called better here: 1 of 1 \(100 %\), so it \*\*does not hold\*\*/);
  assert.match(text, /with replay 1 of them, the largest loss 0\.050: it \*\*does not hold\*\* for 1/);
  assert.match(text, /1 are not worse and wait for a person: 1 of them lost more than that; the change is -0\.100/);
  assert.match(text, /Ten rounds in a row\n\nNot run yet\./);
});

test('a stream tells how far the version in service fell below its best', () => {
  const round = (n: number, dice: readonly [number, number]) => ({
    ...{ experiment: 'stream', arm: 'round', seed: 1, round: n, before: 0, after: 0, oldBefore: 0.9, oldAfter: 0.9 },
    ...{ unseenBefore: dice[0], unseenAfter: dice[1], verdict: 'promoted' },
  });
  const text = report([round(1, [0.5, 0.8]), round(2, [0.8, 0.78]), round(3, [0.78, 0.81])]);
  assert.match(text, /new kind the largest fall is 0\.020, in 1 of 1 streams more than that; 1 end higher\./);
  assert.match(text, /old domain the largest fall is 0\.000, in 0 of 1 streams more than that; 0 end higher\./);
});
