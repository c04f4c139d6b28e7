import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addStep, addValidation, type Curve, startCurve } from '../../../server/src/round/curve.ts';

const done = (step: number) => ({
  step,
  loss: 1 / step,
  terms: { dice: 2 / step, ...(step > 1500 ? { trust: 0.5 } : {}) },
});
const run = (curve: Curve, from: number, to: number, steps: number) => {
  let grown = curve;
  for (let step = from + 1; step <= to; step++) grown = addStep(grown, done(step), steps);
  return grown;
};

test('a long run keeps at most 500 points, each the mean of the steps since the one before', () => {
  const { losses } = run(startCurve(), 0, 4000, 4000);
  assert.equal(losses.length, 500);
  const first = [1, 2, 3, 4, 5, 6, 7, 8].reduce((sum, step) => sum + 1 / step, 0) / 8;
  assert.ok(Math.abs((losses[0]?.loss ?? 0) - first) < 1e-12);
  assert.ok(Math.abs((losses[0]?.terms?.['dice'] ?? 0) - 2 * first) < 1e-12);
  assert.deepEqual([losses[0]?.step, losses.at(-1)?.step], [8, 4000]);
  assert.deepEqual(Object.keys(losses[0]?.terms ?? {}), ['dice']);
  assert.equal(losses.at(-1)?.terms?.['trust'], 0.5, 'a term that comes later is kept from then on');
});

test('a short run keeps every step, and the last step always ends a point', () => {
  assert.equal(run(startCurve(), 0, 12, 12).losses.length, 12);
  const odd = run(startCurve(), 0, 1003, 1003).losses;
  assert.ok(odd.length <= 500);
  assert.equal(odd.at(-1)?.step, 1003);
});

test('a run that goes on from a checkpoint has the same curve, to the last bit', () => {
  const whole = run(startCurve(), 0, 3000, 3000);
  const kept = JSON.parse(JSON.stringify(run(startCurve(), 0, 1001, 3000))) as Curve;
  assert.deepEqual(run(startCurve(kept), 1001, 3000, 3000), whole);
});

test('a checkpoint from before terms were kept goes on', () => {
  const { window, ...before } = startCurve();
  const old: Partial<Curve> = { ...before, losses: [{ step: 200, loss: 0.3 }] };
  assert.deepEqual(run(startCurve(old), 200, 202, 400).losses.length, 3);
});

test('the first of equal validations is the best, and no number never is', () => {
  const first = addValidation(startCurve(), { step: 10, student: 0.5, ema: 0.7 });
  assert.deepEqual([first.improved, first.curve.bestSource, first.curve.bestStep], [true, 'specialized-teacher', 10]);
  const again = addValidation(first.curve, { step: 20, student: 0.7, ema: 0.2 });
  assert.deepEqual([again.improved, again.curve.bestStep, again.curve.validation.length], [false, 10, 2]);
  const lost = addValidation(again.curve, { step: 30, student: Number.NaN, ema: Number.NaN });
  assert.deepEqual([lost.improved, lost.curve.bestScore], [false, 0.7]);
});
