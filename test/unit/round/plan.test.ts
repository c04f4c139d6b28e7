import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { roundSettings, stepsFor } from '../../../server/src/round/plan.ts';
import { drawCorrections } from '../../../server/src/round/plan-round.ts';

test('a round takes as many steps as its corrected slices need, within its bounds', () => {
  assert.equal(stepsFor(5, 2, 200), 125, 'each of five slices is seen about fifty times');
  assert.equal(stepsFor(1, 2, 200), 60);
  assert.equal(stepsFor(400, 2, 200), 200);
  assert.equal(stepsFor(400, 2, 20), 20, 'the setting goes before the least');
});

test('a round learns from so many corrections and no more, however many there are', () => {
  const { newCorrections, usedCorrections } = roundSettings;
  const rows = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ at, usedInRound: at % 2 === 0 ? null : 'some round' }));
  const drawn = drawCorrections(rows(1000), Random.for(7));
  const [fresh, used] = [true, false].map((isNew) => drawn.filter((row) => (row.usedInRound === null) === isNew));
  assert.deepEqual(
    fresh?.map(({ at }) => at),
    Array.from({ length: newCorrections }, (_, n) => 2 * n),
    'the first of the new ones: none waits for ever',
  );
  assert.equal(used?.length, usedCorrections);
  assert.ok(used?.some(({ at }) => at > 500) && used.some(({ at }) => at < 500), 'of all years');
  assert.notDeepEqual(drawCorrections(rows(1000), Random.for(8)), drawn, 'others in the next round');
  assert.deepEqual(drawCorrections(rows(30), Random.for(7)), rows(30), 'all, in their order, where they are few');
});
