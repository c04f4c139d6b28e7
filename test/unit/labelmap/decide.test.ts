import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applySegmentRules, decideLabels } from '../../../server/src/labelmap/decide.ts';
import { leanBy, spaceBy } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

function decided(...foreground: number[][]): number[] {
  const out = new Uint8Array(foreground[0]!.length);
  decideLabels(
    foreground.map((row) => Float32Array.from(row)),
    out,
  );
  return [...out];
}

test('one foreground class wins from one half on', () => {
  assert.deepEqual(decided([0, 0.49, 0.5, 1]), [0, 0, 1, 1]);
});

test('of several classes the most probable wins, ties going to the segment with the lower number', () => {
  assert.deepEqual(decided([0.2, 0.5, 0.3, 0.4, 0], [0.3, 0.3, 0.4, 0.4, 0]), [0, 1, 2, 1, 0]);
});

test('labels are written to the part that is asked for', () => {
  for (const segments of [1, 2]) {
    const out = new Uint8Array(4).fill(9);
    const none = new Array<number>(4).fill(0);
    decideLabels([[1, 1, 0, 1], none].slice(0, segments), out, 1, 3);
    assert.deepEqual([...out], [9, 1, 0, 9]);
  }
});

test('the least volume is in millilitres of the grid, and rules hold per segment', () => {
  const geometry = centredGrid([8, 1, 1], [10, 10, 5], axialDirection);
  const labels = Uint8Array.from([1, 1, 0, 1, 2, 0, 2, 2]);
  applySegmentRules(labels, geometry, [
    { number: 1, largestComponent: false, minVolumeMl: 0.6 },
    { number: 2, largestComponent: true, minVolumeMl: 0 },
  ]);
  assert.deepEqual([...labels], [1, 1, 0, 0, 0, 0, 2, 2]);
});

test('the least volume counts a slice as far as half-way to its neighbours, whatever the tilt', () => {
  // Of a step: 1 x 1 x 0.5 cm = 0.5 ml; shares of the slices 1, 1, 2.5, 2.5 (the outer one half a step beyond).
  const even = leanBy(centredGrid([10, 1, 1], [10, 10, 5], axialDirection), 30);
  const geometry = spaceBy(even, [1, 1, 4]);
  const labels = new Uint8Array(40);
  labels.fill(1, 0, 3);
  labels.fill(1, 30, 32);
  const kept = (minVolumeMl: number, largestComponent = false) => {
    const copy = labels.slice();
    applySegmentRules(copy, geometry, [{ number: 1, largestComponent, minVolumeMl }]);
    return [copy[0], copy[30]];
  };
  assert.deepEqual(kept(1.49), [1, 1]);
  assert.deepEqual(kept(1.51), [0, 1]);
  assert.deepEqual(kept(2.49), [0, 1]);
  assert.deepEqual(kept(2.51), [0, 0]);
  assert.deepEqual(kept(0, true), [0, 1], 'two voxels that stand for five are larger than three');
});
