import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { gate } from '../../../server/src/uncol/gating.ts';
import { normalisedEntropy } from '../../../server/src/uncol/uncertainty.ts';
import { evaluate, given } from './on-engine.ts';

const near = (actual: ArrayLike<number> | undefined, expected: readonly number[], tolerance = 2e-6) => {
  assert.equal(actual?.length, expected.length);
  for (const [index, value] of expected.entries())
    assert.ok(Math.abs((actual?.[index] ?? Number.NaN) - value) < tolerance, `${actual?.[index]} is not ${value}`);
};

test('the normalised entropy gives the golden values and stays in 0..1', async () => {
  const two = await evaluate({ p: given([1, 2, 1, 4], [0.9, 0.99, 1, 0.5, 0.1, 0.01, 0, 0.5]) }, (ops, { p }) => ({
    u: normalisedEntropy(ops, p),
  }));
  near(two['u'], [0.468996, 0.080793, 0, 1]);
  assert.ok(two['u']?.every((u) => u >= 0 && u <= 1));
  const three = await evaluate({ p: given([1, 3, 1, 1], [0.7, 0.2, 0.1]) }, (ops, { p }) => ({
    u: normalisedEntropy(ops, p),
  }));
  near(three['u'], [0.729847]);
});

const generalized = given([1, 2, 1, 4], [0.9, 0.2, 0.5, 0.45, 0.1, 0.8, 0.5, 0.55]);
const specialized = given([1, 2, 1, 4], [0.6, 0.3, 0.5, 0.95, 0.4, 0.7, 0.5, 0.05]);

const fuse = (threshold: number) =>
  evaluate({ g: generalized, s: specialized, threshold: given([1, 1, 1, 1], [threshold]) }, (ops, x) => ({
    ...gate(
      ops,
      { probabilities: x.g, uncertainty: normalisedEntropy(ops, x.g) },
      { probabilities: x.s, uncertainty: normalisedEntropy(ops, x.s) },
      x.threshold,
    ),
  }));

for (const [threshold, background, trust] of [
  [0.75, [0.9, 0.2, 0, 0.95], [1, 1, 0, 1]],
  [0.9, [0.9, 0.246024, 0, 0.95], [1, 1, 0, 1]],
  [1, [0.786876, 0.246024, 0.5, 0.7848], [1, 1, 1, 1]],
] as const)
  test(`the fusion gives the golden values at threshold ${threshold}`, async () => {
    const { fused, label, trusted } = await fuse(threshold);
    near(fused?.subarray(0, 4), background);
    assert.deepEqual([...(trusted ?? [])], trust);
    assert.deepEqual([...(label?.subarray(4) ?? [])], [0, 1, 0, 0]);
  });

test('with two classes the label is that of the more confident teacher', async () => {
  const random = Random.for(7, 'fusion');
  const pixels = 200_000;
  const foreground = () => Float32Array.from({ length: pixels }, () => random.next());
  const [g, s] = [foreground(), foreground()];
  const both = (p: Float32Array) => given([1, 2, 1, pixels], pair(p));
  const { label, trusted } = await evaluate(
    { g: both(g), s: both(s), threshold: given([1, 1, 1, 1], [1]) },
    (ops, x) => {
      const u = (p: typeof x.g) => normalisedEntropy(ops, p);
      const out = gate(
        ops,
        { probabilities: x.g, uncertainty: u(x.g) },
        { probabilities: x.s, uncertainty: u(x.s) },
        x.threshold,
      );
      return { label: out.label, trusted: out.trusted };
    },
  );
  let wrong = 0;
  let judged = 0;
  for (let i = 0; i < pixels; i++) {
    const [a, b] = [g[i] ?? 0, s[i] ?? 0];
    const [confidenceG, confidenceS] = [Math.abs(a - 0.5), Math.abs(b - 0.5)];
    // Nearer than float32 can tell apart.
    if (Math.abs(confidenceG - confidenceS) < 1e-5) continue;
    judged += 1;
    const expected = (confidenceG > confidenceS ? a : b) > 0.5 ? 1 : 0;
    if (label?.[pixels + i] !== expected || trusted?.[i] !== 1) wrong += 1;
  }
  assert.ok(judged > 0.99 * pixels);
  assert.equal(wrong, 0);
});

test('a teacher that abstains is never trusted, also not at threshold 1', async () => {
  const pixel = (p: number) => given([1, 2, 1, 1], [1 - p, p]);
  for (const threshold of [0.75, 1]) {
    const out = await evaluate(
      { g: pixel(0.5), s: pixel(0.9), u: given([1, 1, 1, 1], [1]), threshold: given([1, 1, 1, 1], [threshold]) },
      (ops, x) => ({
        ...gate(
          ops,
          { probabilities: x.g, uncertainty: x.u },
          { probabilities: x.s, uncertainty: normalisedEntropy(ops, x.s) },
          x.threshold,
        ),
      }),
    );
    assert.equal(out['generalizedTrusted']?.[0], 0);
    assert.equal(out['specializedTrusted']?.[0], 1);
    near(out['fused'], [0.1, 0.9]);
  }
});

/** Foreground probabilities as [1,2,1,n]. */
function pair(foreground: Float32Array): Float32Array {
  const both = new Float32Array(2 * foreground.length);
  both.set(foreground.map((p) => 1 - p));
  both.set(foreground, foreground.length);
  return both;
}
