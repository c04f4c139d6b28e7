import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { squaredDistances } from '../../../server/src/labelmap/distance.ts';
import type { Labelmap } from '../../../server/src/labelmap/labelmap.ts';
import { dice, diceOf, hausdorff95Mm, measureSegments, voxelsToMl } from '../../../server/src/labelmap/metrics.ts';
import { indexToPatient, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { leanBy, spaceBy, threeSegments } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

function row(labels: readonly number[], spacingMm: Vec3 = [1, 1, 1]): Labelmap {
  const geometry = centredGrid([labels.length, 1, 1], spacingMm, axialDirection);
  return { data: Uint8Array.from(labels), geometry, segments: [] };
}

test('Dice is twice the shared voxels over the sum', () => {
  assert.equal(dice(row([1, 1, 1, 0, 2]), row([0, 1, 1, 1, 1]), 1), 4 / 7);
  assert.equal(dice(row([1, 1, 1, 0, 2]), row([0, 1, 1, 1, 1]), 2), 0);
});

test('nothing against nothing is 1, and 500 voxels against none is 0', () => {
  assert.equal(diceOf({ a: 0, b: 0, both: 0 }), 1);
  assert.equal(diceOf({ a: 500, b: 0, both: 0 }), 0);
  assert.equal(diceOf({ a: 0, b: 500, both: 0 }), 0);
});

test('labelmaps on different grids are not compared', () => {
  assert.throws(() => dice(row([1, 1]), row([1, 1], [1.1, 1, 1]), 1), RangeError);
  assert.throws(() => hausdorff95Mm(row([1, 1]), row([1, 1, 1]), 1), RangeError);
});

test('a volume is voxels times the distance between slices, not their thickness', () => {
  const { geometry } = row([1], [0.5, 0.8, 2.5]);
  assert.equal(voxelsToMl(1000, geometry), 1);
  assert.ok(Math.abs(voxelsToMl(1000, leanBy(geometry, 25)) - 1) < 1e-12, 'a tilted gantry makes no head larger');
  const leaning = { ...row([1, 1]), geometry: leanBy(row([1, 1]).geometry, 25) };
  assert.throws(() => hausdorff95Mm(leaning, leaning, 1), RangeError);
});

test('each segment has its voxels, volume and centre in the patient, one without a voxel has no centre', () => {
  const labels = row([1, 1, 0, 2, 1], [2, 3, 5]);
  const segments = [1, 2, 3].map((number) => ({ ...threeSegments[0]!, number }));
  const at = (i: number) => indexToPatient(labels.geometry, [i, 0, 0]);
  assert.deepEqual(measureSegments({ ...labels, segments }), [
    { number: 1, voxels: 3, ml: 0.09, centre: at(5 / 3) },
    { number: 2, voxels: 1, ml: 0.03, centre: at(3) },
    { number: 3, voxels: 0, ml: 0, centre: null },
  ]);
});

test('a slice of an uneven grid counts as far as half-way to its neighbours', () => {
  const { geometry } = row([1], [0.5, 0.8, 2.5]);
  const uneven = spaceBy(geometry, [1, 1, 1, 2, 3]);
  const segments = [1, 2].map((number) => ({ ...threeSegments[0]!, number }));
  const measured = measureSegments({ data: Uint8Array.from([1, 1, 0, 2, 1, 2]), geometry: uneven, segments });
  const at = (step: number) => indexToPatient(geometry, [0, 0, step]);
  // Shares of the slices in steps: 1, 1, 1, 1.5, 2.5, 2; of a step 0.001 ml.
  for (const [n, { voxels, steps, centre }] of [
    { voxels: 3, steps: 4.5, centre: (0 + 1 + 2.5 * 5) / 4.5 },
    { voxels: 2, steps: 3.5, centre: (1.5 * 3 + 2 * 8) / 3.5 },
  ].entries()) {
    const seen = measured[n];
    assert.equal(seen?.voxels, voxels);
    assert.ok(Math.abs((seen?.ml ?? 0) - steps / 1000) < 1e-12, `${seen?.ml}`);
    assert.deepEqual(seen?.centre, at(centre));
  }
  const mask = { data: new Uint8Array(6), geometry: uneven, segments };
  assert.throws(() => hausdorff95Mm(mask, mask, 1), RangeError);
});

test('the Hausdorff distance is in mm along each axis', () => {
  const a = row([1, 0, 0, 0, 0], [2.5, 1, 1]);
  assert.equal(hausdorff95Mm(a, a, 1), 0);
  assert.equal(hausdorff95Mm(a, row([0, 0, 0, 1, 0], [2.5, 1, 1]), 1), 7.5);
});

test('the Hausdorff distance leaves out the farthest twentieth of the surface', () => {
  const a = new Array(100).fill(0).map((_, n) => (n < 40 && n % 2 === 0 ? 1 : 0));
  const b = a.map((x, n) => (n === 90 ? 1 : x));
  assert.equal(hausdorff95Mm(row(a), row(b), 1), 0, '1 of 21 voxels is farther');
  const c = a.map((x, n) => (n === 90 || n === 92 ? 1 : x));
  assert.equal(hausdorff95Mm(row(a), row(c), 1), 52, '2 of 22 voxels are farther');
});

test('the distance to an empty segment is null, between two empty ones 0', () => {
  assert.equal(hausdorff95Mm(row([0, 1]), row([0, 0]), 1), null);
  assert.equal(hausdorff95Mm(row([0, 0]), row([0, 0]), 1), 0);
});

test('squared distances equal the brute force ones', () => {
  const spacing = [0.7, 1.3, 3] as const;
  const size = [5, 4, 3] as const;
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (bits) => {
      const mask = Uint8Array.from(bits, Number);
      if (!mask.includes(1)) return;
      const place = (n: number) => [
        (n % 5) * spacing[0],
        (Math.floor(n / 5) % 4) * spacing[1],
        Math.floor(n / 20) * spacing[2],
      ];
      const found = squaredDistances(mask, size, spacing);
      for (let n = 0; n < 60; n++) {
        let nearest = Number.POSITIVE_INFINITY;
        for (let m = 0; m < 60; m++)
          if (mask[m] === 1)
            nearest = Math.min(
              nearest,
              place(n).reduce((sum, x, t) => sum + (x - place(m)[t]!) ** 2, 0),
            );
        assert.ok(Math.abs(found[n]! - nearest) < 1e-9);
      }
    }),
  );
});
