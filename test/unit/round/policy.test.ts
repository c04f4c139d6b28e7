import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRound, type RoundFacts, type RoundPolicy } from '../../../server/src/round/policy.ts';

const noon = new Date(2026, 10, 26, 12, 0);
const ago = (minutes: number) => new Date(noon.getTime() - minutes * 60_000);
const ready: RoundFacts = {
  ...{ unusedCorrections: 2, roundOpen: false, isPaused: false, failedWithThese: false },
  ...{ starts: [], now: noon },
};
const policy: RoundPolicy = {
  correctionsPerRound: 2,
  roundGapMinutes: 0,
  roundsPerDay: 24,
  roundHours: null,
  quietHours: null,
};
const decide = (facts: Partial<RoundFacts>, rule: Partial<RoundPolicy> = {}) =>
  decideRound({ ...ready, ...facts }, { ...policy, ...rule });
const started = { start: true, missing: 0, waits: null };

test('a round starts with the N-th unused correction, not before', () => {
  assert.deepEqual(decide({ unusedCorrections: 1 }), { start: false, missing: 1, waits: null });
  assert.deepEqual(decide({}), started);
  assert.deepEqual(decide({ unusedCorrections: 9 }), started);
});

test('none starts beside an open one, in a pause, or on corrections with which the last one failed', () => {
  assert.deepEqual(decide({ roundOpen: true }).waits, { for: 'open-round', until: null });
  assert.deepEqual(decide({ isPaused: true }).waits, { for: 'pause', until: null });
  assert.deepEqual(decide({ failedWithThese: true }).waits, { for: 'another-correction', until: null });
  assert.equal(decide({ roundOpen: true, isPaused: true }).start, false);
});

test('rounds keep their distance, counted from start to start', () => {
  const gap = { roundGapMinutes: 60 };
  assert.deepEqual(decide({ starts: [ago(300), ago(59)] }, gap).waits, {
    for: 'gap',
    until: new Date(2026, 10, 26, 12, 1),
  });
  assert.deepEqual(decide({ starts: [ago(60)] }, gap), started);
});

test('so many rounds in any 24 hours and no more', () => {
  const two = { roundsPerDay: 2 };
  const starts = [ago(23 * 60), ago(60)];
  assert.deepEqual(decide({ starts }, two).waits, { for: 'day', until: new Date(2026, 10, 26, 13, 0) });
  assert.deepEqual(decide({ starts: [ago(25 * 60), ago(60)] }, two), started);
});

test('rounds wait for their hours, over midnight, too', () => {
  const at = (hour: number, minute = 0) => new Date(2026, 10, 26, hour, minute);
  const night = { roundHours: { from: 20, to: 6 } };
  assert.deepEqual(decide({ now: at(12) }, night).waits, { for: 'hours', until: at(20) });
  for (const hour of [20, 23, 0, 5]) assert.deepEqual(decide({ now: at(hour, 30) }, night), started);
  assert.equal(decide({ now: at(6) }, night).start, false);
  const lunch = { roundHours: { from: 12, to: 14 } };
  assert.deepEqual(decide({ now: at(12) }, lunch), started);
  assert.deepEqual(decide({ now: at(14) }, lunch).waits, { for: 'hours', until: new Date(2026, 10, 27, 12, 0) });
});

test('rounds leave the PACS alone in its quiet hours', () => {
  const at = (hour: number) => new Date(2026, 10, 26, hour, 30);
  const quiet = { quietHours: { from: 8, to: 18 } };
  assert.deepEqual(decide({ now: at(12) }, quiet).waits, { for: 'hours', until: new Date(2026, 10, 26, 18, 0) });
  assert.deepEqual(decide({ now: at(7) }, quiet), started);
  const both = { ...quiet, roundHours: { from: 16, to: 20 } };
  assert.deepEqual(decide({ now: at(17) }, both).waits, { for: 'hours', until: new Date(2026, 10, 26, 18, 0) });
  assert.deepEqual(decide({ now: at(18) }, both), started);
  const never = { ...quiet, roundHours: { from: 9, to: 17 } };
  assert.deepEqual(decide({ now: at(12) }, never).waits, { for: 'hours', until: null });
});
