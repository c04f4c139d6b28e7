import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool, Round, Verdict } from '../../../extension/src/api/contract.ts';
import { isWaiting, nameDecision, needsReason, openDecisions } from '../../../extension/src/service/decisions.ts';

const pool = { model: 'm', inService: 2, pause: null, pin: null } as unknown as Pool;
const round = (outcome: Verdict['outcome'], toVersion: number | null, refusal: Round['refusal'] = null) =>
  ({ id: 'r', toVersion, refusal, verdict: { outcome } }) as unknown as Round;
const names = (of: Pool, last: Round | null) => openDecisions(of, last).map(nameDecision);

test('a version waits until somebody decides about it', () => {
  assert.equal(isWaiting(round('waiting', 3), 2), true);
  assert.equal(isWaiting(round('waiting', 3), 3), false, 'it serves');
  assert.equal(isWaiting(round('waiting', 3, { reason: 'no', at: '' }), 2), false);
  assert.equal(isWaiting(round('promoted', 3), 2), false);
  assert.equal(isWaiting(round('refused', null), 2), false);
  assert.equal(isWaiting(null, 2), false);
});

test('what an administrator may decide follows from what is', () => {
  assert.deepEqual(names(pool, round('waiting', 3)), [
    'Put version 3 in service',
    'Refuse version 3',
    'Roll back version 2',
    'Keep version 2 whatever comes',
    'Pause learning',
  ]);
  const hold = { reason: 'service', since: '' };
  assert.deepEqual(names({ ...pool, inService: 1, pin: hold, pause: hold }, null), [
    'Let new versions come into service again',
    'Resume learning',
  ]);
});

test('only what takes a stop away needs no reason', () => {
  assert.deepEqual(openDecisions(pool, round('waiting', 3)).map(needsReason), [true, true, true, true, true]);
  assert.equal(needsReason({ kind: 'resume' }), false);
});
