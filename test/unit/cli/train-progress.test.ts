import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLines, timeLeft } from '../../../server/src/cli/train-progress.ts';

test('the line of a step tells the time left, from the pace of this run', () => {
  const lines: string[] = [];
  let clock = 5000;
  const show = progressLines(
    (line) => void lines.push(line),
    () => clock,
  );
  const step = (at: number) => show({ kind: 'step', step: at, steps: 200, loss: 0.5, terms: {} });
  // A run that goes on: what it did before costs nothing now.
  step(101);
  clock += 4000;
  step(102);
  show({ kind: 'validation', step: 102, student: 0.5, ema: 0.625, best: 0.625 });
  clock += 12_000;
  step(103);
  assert.deepEqual(lines, [
    'step 101 of 200: loss 0.5000',
    'step 102 of 200: loss 0.5000, 7 min left',
    'validation at 102: Dice 0.5000, EMA 0.6250',
    'step 103 of 200: loss 0.5000, 13 min left',
  ]);
});

test('a duration is told in the coarsest unit that still says something', () => {
  assert.deepEqual([400, 89_000, 90_000, 5_340_000, 5_400_000, 11_100_000].map(timeLeft), [
    '0 s',
    '89 s',
    '2 min',
    '89 min',
    '1 h 30 min',
    '3 h 5 min',
  ]);
});
