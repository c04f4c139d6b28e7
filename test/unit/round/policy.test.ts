import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRound } from '../../../server/src/round/policy.ts';

test('a round starts with the N-th unused correction, not before', () => {
  assert.deepEqual(decideRound({ unusedCorrections: 1, roundOpen: false }, 2), { start: false, missing: 1 });
  assert.deepEqual(decideRound({ unusedCorrections: 2, roundOpen: false }, 2), { start: true, missing: 0 });
});

test('a second round does not start while one is open', () => {
  assert.equal(decideRound({ unusedCorrections: 5, roundOpen: true }, 2).start, false);
});
