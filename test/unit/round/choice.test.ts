import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Choice, type Evaluation, hasStalled, isBetter } from '../../../server/src/round/choice.ts';

const epsilon = 0.005;
const start: Evaluation = { subjects: [0.8, 0.6], corrected: 0.3 };
const of = (base: number, corrected: number): Evaluation => ({ subjects: [base, base], corrected });
const student: Choice = { arm: 'uncol', source: 'student', step: 50 };
const after = (best: Evaluation) => ({ start, best, chosen: student });

test('the start stays while nothing is better than it', () => {
  const state = { start, best: start, chosen: { arm: null, source: 'in-service', step: 0 } as const };
  assert.equal(isBetter(start, state, epsilon), false);
  assert.equal(isBetter(of(0.75, 0.2), state, epsilon), false);
  assert.equal(isBetter(of(0.7, 0.4), state, epsilon), true);
  assert.equal(isBetter(of(Number.NaN, 0.9), state, epsilon), false);
});

test('weights that hold the base set go before weights that fit the corrections better and lose it', () => {
  const fitting = of(0.6, 0.9);
  const holding = of(0.698, 0.5);
  assert.equal(isBetter(holding, after(fitting), epsilon), true);
  assert.equal(isBetter(fitting, after(holding), epsilon), false);
  assert.equal(isBetter(of(0.694, 0.9), after(holding), epsilon), false);
});

test('of two that hold the base set, or two that lose it, the higher score wins', () => {
  assert.equal(isBetter(of(0.72, 0.6), after(of(0.7, 0.6)), epsilon), true);
  assert.equal(isBetter(of(0.7, 0.6), after(of(0.72, 0.6)), epsilon), false);
  assert.equal(isBetter(of(0.6, 0.9), after(of(0.6, 0.8)), epsilon), true);
});

test('weights that hold the base set and are worse than the start do not win over any', () => {
  assert.equal(isBetter(of(0.7, 0.29), after(of(0.6, 0.9)), epsilon), false);
});

test('a way of learning ends when as many evaluations as its patience brought nothing better', () => {
  assert.equal(hasStalled([], 2), false);
  assert.equal(hasStalled([0.8, 0.7], 2), false, 'there is nothing before them');
  assert.equal(hasStalled([0.8, 0.7, 0.8], 2), true);
  assert.equal(hasStalled([0.8, 0.7, 0.81], 2), false);
  assert.equal(hasStalled([0.6, 0.8, 0.7], 2), false);
  assert.equal(hasStalled([0.5, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], 2), true);
});
