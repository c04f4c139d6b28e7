import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeArms } from '../../../server/src/round/outcome.ts';

const uncol = {
  arm: 'uncol',
  source: 'student',
  step: 10,
  subjects: 0.812,
  corrected: 0.7,
  steps: 10,
  scores: [0.7],
  means: {},
} as const;
const supervised = { ...uncol, arm: 'supervised', subjects: 0.79, corrected: 0.75 } as const;

test('a version tells what its round compared, and what came out best', () => {
  assert.equal(
    describeArms({ arms: [uncol, supervised], chosen: uncol }),
    'Two ways of learning were compared: with unlabelled studies (Dice 0.812 on generated subjects, 0.700 on corrected slices) and from corrections and replay alone (Dice 0.790 on generated subjects, 0.750 on corrected slices). Best: with unlabelled studies.',
  );
  const start = { arm: null, source: 'in-service', step: 0 } as const;
  assert.match(describeArms({ arms: [uncol, supervised], chosen: start }), /Neither was better than the start\.$/);
  assert.match(
    describeArms({ arms: [supervised], chosen: supervised }),
    /^It learned from corrections and replay alone \(.*\); there was no unlabelled study to learn from beside them\.$/,
  );
});
