import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { type Judgement, qualityOf } from '../../../server/src/promotion/quality.ts';

const judged = (version: number, ...diceBySegment: (number | null)[]): Judgement => ({
  ...{ version, kind: 'edited', diceBySegment },
});

test('quality is told version by version, newest first, segment by segment', () => {
  const [two, one, ...others] = qualityOf([
    judged(1, 0.8, 0.6),
    { ...judged(1, 1, null), kind: 'accepted' },
    judged(2, null, null),
  ]);
  assert.deepEqual(others, []);
  assert.deepEqual([one?.version, one?.corrections, one?.accepted], [1, 2, 1]);
  assert.ok(Math.abs((one?.dice?.mean ?? 0) - 0.85) < 1e-12);
  assert.deepEqual(one?.segments, [
    { mean: 0.9, corrections: 2 },
    { mean: 0.6, corrections: 1 },
  ]);
  assert.deepEqual([two?.version, two?.dice, two?.segments[0]?.mean, two?.drift], [2, null, null, null]);
});

test('a version whose latest masks are corrected more is said to fall', () => {
  const run = (...dices: number[]) => qualityOf(dices.map((dice) => judged(1, dice)))[0]?.drift;
  const steady = Array.from({ length: 20 }, (_, n) => 0.8 + 0.01 * (n % 5));
  assert.equal(run(...steady.slice(1)), null, 'twenty are needed');
  assert.equal(run(...steady)?.isFalling, false);
  const fallen = run(...steady, ...Array(10).fill(0.7));
  assert.ok(fallen?.isFalling && fallen.p < 0.001);
  assert.ok(Math.abs(fallen.latest - 0.7) < 1e-12 && fallen.before > 0.8);
  assert.equal(run(...steady, ...Array(10).fill(0.9))?.isFalling, false, 'rising is not falling');
});

test('a version that does not change is said to fall in about one of forty cases', () => {
  const random = Random.for(3, 'steady');
  const runs = 200;
  const falls = Array.from(
    { length: runs },
    () => qualityOf(Array.from({ length: 30 }, () => judged(1, 0.8 + 0.05 * random.normal())))[0]?.drift?.isFalling,
  ).filter(Boolean).length;
  assert.ok(falls <= 0.05 * runs, `${falls} of ${runs}`);
});
