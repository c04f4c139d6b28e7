import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepsFor } from '../../../server/src/round/plan.ts';

test('a round takes as many steps as its corrected slices need, within its bounds', () => {
  assert.equal(stepsFor(5, 2, 200), 125, 'each of five slices is seen about fifty times');
  assert.equal(stepsFor(1, 2, 200), 60);
  assert.equal(stepsFor(400, 2, 200), 200);
  assert.equal(stepsFor(400, 2, 20), 20, 'the setting goes before the least');
});
