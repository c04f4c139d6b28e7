import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import {
  dilate,
  meanUncertainty,
  missingSegments,
  normalisedEntropy,
  uncertaintyBySegment,
} from '../../../server/src/labelmap/uncertainty.ts';
import type { Vec3 } from '../../../server/src/volume/geometry.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

test('normalised entropy equals the values worked out by hand', () => {
  const two = normalisedEntropy([Float64Array.of(0.9, 0.99, 0.5, 1), Float64Array.of(0.1, 0.01, 0.5, 0)]);
  for (const [n, expected] of [0.468996, 0.080793, 1, 0].entries()) assert.ok(Math.abs(two[n]! - expected) < 1e-6);
  const three = normalisedEntropy([[0.7], [0.2], [0.1]]);
  assert.ok(Math.abs(three[0]! - 0.729847) < 1e-6);
  assert.throws(() => normalisedEntropy([[1]]), RangeError);
});

const geometry = centredGrid([7, 1, 1], [2, 1, 1], axialDirection);

test('uncertainty is averaged over the dilated mask only', () => {
  const uncertainty = Float32Array.of(1, 1, 0.25, 0.5, 0.75, 1, 1);
  const labels = Uint8Array.of(0, 0, 0, 3, 0, 0, 0);
  assert.equal(meanUncertainty(uncertainty, labels, geometry, 2), 0.5);
  assert.equal(meanUncertainty(uncertainty, labels, geometry, 0), 0.5);
  assert.equal(meanUncertainty(uncertainty, labels, geometry, 4), 3.5 / 5);
});

test('without any label it is the mean of what the network saw, never NaN', () => {
  const uncertainty = Float32Array.of(1, 0, 0, 0, 0, 0, 0.5);
  const none = new Uint8Array(7);
  assert.equal(meanUncertainty(uncertainty, none, geometry, 2, Uint8Array.of(1, 0, 0, 0, 0, 0, 1)), 0.75);
  assert.equal(meanUncertainty(uncertainty, none, geometry, 2, new Uint8Array(7)), 0);
});

test('each segment is averaged in and around itself, by its own box', () => {
  const grid = centredGrid([9, 8, 7], [2, 1, 3], axialDirection);
  const random = new Random(5);
  const entropy = Float32Array.from({ length: 9 * 8 * 7 }, () => random.next());
  const labels = new Uint8Array(entropy.length);
  // One in a corner, one inside, one of two parts.
  labels[0] = 1;
  labels[4 + 9 * (4 + 8 * 3)] = 2;
  for (const place of [8, 9 * 8 * 7 - 1]) labels[place] = 4;
  const seen = uncertaintyBySegment(entropy, labels, grid, 4, [1, 2, 3, 4]);
  assert.equal(seen[2], null);
  for (const [at, number] of [
    [0, 1],
    [1, 2],
    [3, 4],
  ] as const) {
    const alone = labels.map((label) => (label === number ? 1 : 0));
    // The sums run over the same numbers in the same order.
    assert.equal(seen[at], meanUncertainty(entropy, alone, grid, 4));
  }
});

test('only segments that the card expects are missed', () => {
  const segments = [{ number: 1, isExpected: true }, { number: 2 }, { number: 3, isExpected: true }];
  assert.deepEqual(missingSegments(Uint8Array.of(0, 3, 0), segments), [1]);
  assert.deepEqual(missingSegments(Uint8Array.of(0, 0), segments), [1, 3]);
  assert.deepEqual(missingSegments(Uint8Array.of(1, 3), segments), []);
});

test('a mask grows along every axis and stops at the faces', () => {
  const labels = new Uint8Array(27);
  labels[13] = 2;
  const grown = (mask: Uint8Array, size: Vec3, reach: Vec3) => [...dilate(mask, size, reach)].map((x) => Number(x > 0));
  assert.deepEqual(grown(labels, [3, 3, 3], [1, 1, 1]), new Array(27).fill(1));
  assert.deepEqual(grown(Uint8Array.of(0, 0, 1, 1, 0, 0), [3, 2, 1], [1, 0, 0]), [0, 1, 1, 1, 1, 0]);
  assert.deepEqual(grown(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0), [9, 1, 1], [2, 0, 0]), [1, 1, 1, 0, 0, 1, 1, 1, 1]);
  assert.deepEqual(grown(Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0), [2, 4, 1], [0, 2, 3]), [0, 1, 0, 1, 0, 1, 0, 0]);
});
