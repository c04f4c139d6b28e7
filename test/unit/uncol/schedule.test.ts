import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmingEmaDecay } from '../../../server/src/uncol/ema.ts';
import { polynomialRate, ramp, trustThreshold } from '../../../server/src/uncol/schedule.ts';
import { collaborationSettingsSchema, pretrainingSettingsSchema } from '../../../server/src/uncol/settings.ts';

/** The golden values are rounded to six digits. */
const near = (actual: number, expected: number, tolerance = 6e-7) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

test('the ramp rises from exp(-5) to 1 and stays there', () => {
  for (const [t, value] of [
    [0, 0.006738],
    [25, 0.060055],
    [50, 0.286505],
    [75, 0.731616],
    [100, 1],
    [140, 1],
  ] as const)
    near(ramp(t, 100), value);
});

test('the trust threshold rises from 0.7517 to 1', () => {
  const range = { start: 0.75, end: 1 };
  for (const [t, value] of [
    [0, 0.751684],
    [1, 0.765014],
    [2, 0.821626],
    [3, 0.932904],
    [4, 1],
  ] as const)
    near(trustThreshold(t, 4, range), value);
});

test('the ramp gives the published weight of the consistency losses', () => {
  for (const [step, value] of [
    [0, 0.000674],
    [1500, 0.004076],
    [3750, 0.02865],
    [7500, 0.1],
  ] as const)
    near(0.1 * ramp(Math.floor(step / 30), 250), value);
});

test('the warming EMA copies first and ends at its limit', () => {
  for (const [step, value] of [
    [0, 0],
    [1, 0.5],
    [9, 0.9],
    [98, 0.989899],
    [99, 0.99],
    [5000, 0.99],
  ] as const)
    near(warmingEmaDecay(step, 0.99), value);
});

test('the learning rate decays polynomially and never below 0', () => {
  near(polynomialRate(0.01, 0, 15_000), 0.01);
  near(polynomialRate(0.01, 7500, 15_000), 0.00535887, 6e-9);
  assert.equal(polynomialRate(0.01, 15_000, 15_000), 0);
  assert.equal(polynomialRate(0.01, 15_001, 15_000), 0);
});

test('every setting has a default and a sentence with its unit', () => {
  for (const schema of [pretrainingSettingsSchema, collaborationSettingsSchema]) {
    const settings = schema.parse({});
    for (const [name, field] of Object.entries(schema.shape)) {
      assert.notEqual(settings[name as keyof typeof settings], undefined);
      assert.match(field.description ?? '', /\(.*\)\.$/, name);
    }
  }
  assert.throws(() => collaborationSettingsSchema.parse({ tau: 0.3 }));
});
