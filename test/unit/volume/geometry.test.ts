import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createGeometry,
  evenGrid,
  type Geometry,
  indexMap,
  indexToPatient,
  leanDegrees,
  patientToIndex,
  planeGrid,
  sameGrid,
  sliceStepMm,
  subGrid,
  type Vec3,
} from '../../../server/src/volume/geometry.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { leanBy, placesOf, spaceBy } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid, coronalDirection, obliqueGrids, turnedDirection } from './grids.ts';

const index = fc.tuple(
  fc.double({ min: -50, max: 500, noNaN: true }),
  fc.double({ min: -50, max: 500, noNaN: true }),
  fc.double({ min: -50, max: 500, noNaN: true }),
);

function assertClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  for (const [n, value] of expected.entries())
    assert.ok(Math.abs(actual[n]! - value) <= tolerance, `${actual} is not ${expected}`);
}

test('index to patient and back is the same index on any oblique grid', () => {
  fc.assert(
    fc.property(obliqueGrids(1, 40), index, (g, ijk) => {
      assertClose(patientToIndex(g, indexToPatient(g, ijk)), ijk, 1e-7);
    }),
  );
});

test('directions that are only nearly orthonormal still go round exactly', () => {
  const direction = [
    [1, 0.0005, 0],
    [0, 1, -0.0005],
    [0, 0, 1],
  ] as const;
  const g = createGeometry({ size: [9, 9, 9], spacingMm: [1, 2, 3], origin: [5, -7, 11], direction });
  assertClose(patientToIndex(g, indexToPatient(g, [200, 100, 50])), [200, 100, 50], 1e-9);
});

test('a voxel lies at origin plus spacing along the directions', () => {
  const g = createGeometry({
    size: [4, 5, 6],
    spacingMm: [1, 2, 3],
    origin: [10, 20, 30],
    direction: coronalDirection,
  });
  assert.deepEqual(indexToPatient(g, [1, 1, 1]), [11, 23, 28]);
});

test('an index map agrees with going through the patient', () => {
  fc.assert(
    fc.property(obliqueGrids(1, 40), obliqueGrids(1, 40), index, (a, b, [i, j, k]) => {
      const { offset, columns } = indexMap(a, b);
      const mapped = offset.map((o, x) => o + columns[0][x]! * i + columns[1][x]! * j + columns[2][x]! * k);
      assertClose(mapped, patientToIndex(b, indexToPatient(a, [i, j, k])), 1e-6);
    }),
  );
});

test('a geometry with a fractional size, zero spacing or skewed directions is refused', () => {
  const good: Geometry = { size: [2, 2, 2], spacingMm: [1, 1, 1], origin: [0, 0, 0], direction: axialDirection };
  const [u, v] = axialDirection;
  const skewed: Geometry['direction'] = [u, [0.01, 0.99995, 0], [0, 0, 1]];
  assert.equal(createGeometry(good).size[0], 2);
  assert.throws(() => createGeometry({ ...good, size: [2, 2.5, 2] }), RangeError);
  assert.throws(() => createGeometry({ ...good, size: [0, 2, 2] }), RangeError);
  assert.throws(() => createGeometry({ ...good, spacingMm: [1, 0, 1] }), RangeError);
  assert.throws(() => createGeometry({ ...good, spacingMm: [1, Number.NaN, 1] }), RangeError);
  assert.throws(() => createGeometry({ ...good, origin: [0, Number.NaN, 1] }), RangeError);
  assert.throws(() => createGeometry({ ...good, direction: skewed }), /orthonormal/);
  assert.throws(() => createGeometry({ ...good, direction: [u, v, [0, 0, Number.NaN]] }), RangeError);
});

test('a grid may lean as a tilted gantry does: positions go round exactly, slices keep their distance', () => {
  const upright = centredGrid([7, 6, 5], [0.7, 0.9, 3], axialDirection);
  for (const degrees of [0.2, 15, 30, -30]) {
    const leaning = createGeometry(leanBy(upright, degrees));
    const index: Vec3 = [1.5, 4, 3.25];
    assertClose(patientToIndex(leaning, indexToPatient(leaning, index)), index, 1e-9);
    assert.ok(Math.abs(leanDegrees(leaning.direction) - Math.abs(degrees)) < 1e-9);
    assert.ok(Math.abs(sliceStepMm(leaning) - 3) < 1e-9);
  }
  assert.equal(leanDegrees(upright.direction), 0);
  assert.throws(() => createGeometry(leanBy(upright, 41)), /lean by 41/);
});

test('a volume refuses arrays that do not fit its grid', () => {
  const g = centredGrid([2, 3, 4], [1, 1, 1], axialDirection);
  assert.throws(() => createVolume(new Int16Array(23), g), RangeError);
  assert.throws(() => createVolume(new Int16Array(24), g, new Uint8Array(25)), RangeError);
  assert.equal(createVolume(new Int16Array(24), g).padding, undefined);
});

test('the plane grid of a source that lies on it already is the same grid', () => {
  const axial = centredGrid([181, 217, 181], [1, 1, 1], axialDirection);
  assert.ok(sameGrid(planeGrid(axial, 'axial', [1, 1, 1]), axial, 1e-6));
  const coronal = centredGrid([20, 30, 40], [0.5, 0.75, 2], coronalDirection);
  assert.ok(sameGrid(planeGrid(coronal, 'coronal', [0.5, 0.75, 2]), coronal, 1e-6));
});

test('orientation noise of 5e-5 adds no slice to the plane grid', () => {
  const turned = centredGrid([181, 217, 181], [1, 1, 1], turnedDirection(5e-5, -5e-5, 5e-5));
  assert.deepEqual(planeGrid(turned, 'axial', [1, 1, 1]).size, [181, 217, 181]);
});

test('the plane grid runs along the patient axes and covers every voxel of the source, oblique or not', () => {
  const planes = fc.constantFrom('axial' as const, 'coronal' as const, 'sagittal' as const);
  fc.assert(
    fc.property(obliqueGrids(2, 30), planes, (g, plane) => {
      const grid = planeGrid(g, plane, [1.5, 2, 2.5]);
      for (const direction of grid.direction) assert.equal(direction.filter((x) => x === 0).length, 2);
      for (let corner = 0; corner < 8; corner++) {
        const ijk = g.size.map((n, axis) => ((corner >> axis) & 1) * (n - 1)) as unknown as Vec3;
        const at = patientToIndex(grid, indexToPatient(g, ijk));
        for (const [axis, x] of at.entries()) assert.ok(x >= -0.55 && x <= grid.size[axis]! - 0.45, `${at}`);
      }
    }),
  );
});

test('axial slices grow to the left, back and head; a coronal and a sagittal grid start at the head', () => {
  const g = centredGrid([10, 10, 10], [1, 1, 1], axialDirection);
  assert.deepEqual(planeGrid(g, 'axial', [1, 1, 1]).origin, [-4.5, -4.5, -4.5]);
  assert.deepEqual(planeGrid(g, 'coronal', [1, 1, 1]).origin, [-4.5, -4.5, 4.5]);
  assert.deepEqual(planeGrid(g, 'sagittal', [1, 1, 1]).origin, [4.5, -4.5, 4.5]);
});

test('grids are the same up to the tolerance at the farthest corner', () => {
  const g = centredGrid([100, 100, 100], [0.9765625, 0.9765625, 1], axialDirection);
  assert.ok(sameGrid(g, { ...g, spacingMm: [0.976562, 0.976562, 1] }, 0.01));
  assert.ok(!sameGrid(g, centredGrid([100, 100, 100], g.spacingMm, turnedDirection(0.0087, 0, 0)), 0.01));
  assert.ok(!sameGrid(g, { ...g, size: [100, 100, 99] }, 10));
});

test('a sub-grid keeps its voxels where they were', () => {
  const g = centredGrid([10, 10, 10], [1, 2, 3], coronalDirection);
  const part = subGrid(g, [-2, 3, 4], [5, 5, 2]);
  assertClose(indexToPatient(part, [1, 1, 1]), indexToPatient(g, [-1, 4, 5]), 1e-9);
});

test('an uneven grid goes round exactly, and its map counts steps', () => {
  const steps = fc.array(fc.double({ min: 0.2, max: 4, noNaN: true }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(obliqueGrids(1, 40), obliqueGrids(1, 40), steps, index, (g, other, gaps, [i, j, k]) => {
      const sliceSteps = placesOf(gaps);
      const uneven = createGeometry(spaceBy(g, gaps));
      assertClose(patientToIndex(uneven, indexToPatient(uneven, [i, j, k])), [i, j, k], 1e-6);
      for (const [slice, step] of sliceSteps.entries())
        assertClose(indexToPatient(uneven, [i, j, slice]), indexToPatient(g, [i, j, step]), 1e-9);
      assert.deepEqual(indexMap(uneven, other), indexMap(g, other));
      const even = evenGrid(uneven);
      const beyond = even.size[2] - 1 - (sliceSteps[sliceSteps.length - 1] ?? 0);
      assert.ok(beyond >= -0.1 && beyond < 0.9, `${beyond} steps`);
      assert.deepEqual({ ...even, size: g.size }, g);
      assert.equal(evenGrid(g), g);
      const moved = createGeometry({ ...uneven, sliceSteps: sliceSteps.map((step, n) => (n === 1 ? step / 2 : step)) });
      assert.ok(sameGrid(uneven, uneven, 1e-9));
      assert.ok(!sameGrid(uneven, moved, 0.01) && !sameGrid(moved, uneven, 0.01));
    }),
  );
});

test('slice steps that do not rise from 0, or are not one a slice, are refused', () => {
  const g = centredGrid([4, 4, 3], [1, 1, 2], axialDirection);
  for (const sliceSteps of [
    [0, 1],
    [0, 1, 1],
    [0, 2, 1],
    [1, 2, 3],
    [0, 1, Number.NaN],
    [0, 1, 2, 3],
  ])
    assert.throws(() => createGeometry({ ...g, sliceSteps }), /not rising from 0/);
  assert.throws(() => subGrid({ ...g, sliceSteps: [0, 1, 3] }, [0, 0, 0], [4, 4, 2]), RangeError);
});
