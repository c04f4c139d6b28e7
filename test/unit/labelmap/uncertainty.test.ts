import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import {
  createMask,
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
  const random = new Random(7);
  const upTo = (most: number): number => Math.floor(random.next() * (most + 1));
  for (let round = 0; round < 200; round++) {
    const size: Vec3 = [1 + upTo(10), 1 + upTo(6), 1 + upTo(6)];
    const reach: Vec3 = [upTo(4), upTo(3), upTo(3)];
    const [columns, rows, slices] = size;
    const voxels = [...new Array(columns * rows * slices).keys()].map(
      (n): Vec3 => [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))],
    );
    const marked = voxels.filter(() => random.next() < 0.08);
    const mask = createMask(size);
    const at = ([i, j, k]: Vec3): number => (k * rows + j) * mask.width + i;
    for (const voxel of marked) mask.data[at(voxel)] = 1;
    dilate(mask, reach);
    const isNear = (a: Vec3, b: Vec3): boolean => a.every((x, axis) => Math.abs(x - b[axis]!) <= reach[axis]!);
    for (const voxel of voxels)
      assert.equal(mask.data[at(voxel)], Number(marked.some((one) => isNear(one, voxel))), `${voxel} of ${size}`);
  }
});
