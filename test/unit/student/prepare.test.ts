import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { holdsContent, labelGrid, prepareSlices } from '../../../server/src/student/prepare.ts';
import { indexToPatient, patientToIndex, sameGrid } from '../../../server/src/volume/geometry.ts';
import { lastStep, sliceOfStep } from '../../../server/src/volume/slice-steps.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { spaceBy } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid, coronalDirection, sagittalDirection, turnedDirection } from '../volume/grids.ts';
import { ballVolume, card, organ, scene } from './phantom.ts';

const { input } = card;
const everySlice = (n: number): ReadonlySet<number> => new Set(Array.from({ length: n }, (_, k) => k));

test('a pixel of a prepared slice is the voxel of the grid with the same index', () => {
  const { volume } = ballVolume(centredGrid([50, 60, 40], [2, 2, 2], axialDirection), [8, -10, 6], 15);
  const { grid, images } = prepareSlices(volume, input);
  assert.deepEqual(grid.size, [64, 64, 40]);
  assert.equal(images.length, 40);
  const bright = patientToIndex(grid, [8, -10, 6]).map(Math.round);
  assert.ok(images[bright[2]!]![bright[1]! * 64 + bright[0]!]! > 0.9);
  const dark = patientToIndex(grid, [8, -10, -30]).map(Math.round);
  assert.ok(images[dark[2]!]![dark[1]! * 64 + dark[0]!]! < 0.2);
  assert.ok(images.every((image) => image.length === 64 * 64 && image.every((x) => x >= 0 && x <= 1)));
});

test('a scan that fits is centred and padded with 0', () => {
  const { volume } = ballVolume(centredGrid([50, 60, 10], [2, 2, 2], axialDirection), [30, 30, 0], 15);
  const { grid, images } = prepareSlices(volume, input);
  assert.ok(sameGrid(grid, centredGrid([64, 64, 10], [2, 2, 2], axialDirection), 1e-6));
  assert.ok(images[5]!.subarray(0, 2 * 64).every((x) => x === 0));
});

test('a scan larger than the image is cut about its content, not beyond its edge', () => {
  const geometry = centredGrid([150, 150, 6], [2, 2, 5], axialDirection);
  const offCentre = prepareSlices(ballVolume(geometry, [60, -40, 0], 30).volume, input).grid;
  const middle = indexToPatient(offCentre, [31.5, 31.5, 0]);
  assert.ok(Math.abs(middle[0] - 60) < 4 && Math.abs(middle[1] + 40) < 4, `${middle}`);
  const atEdge = prepareSlices(ballVolume(geometry, [140, 140, 0], 30).volume, input).grid;
  assert.deepEqual(atEdge.origin.slice(0, 2), [149 - 126, 149 - 126]);
});

test('the same patient scanned in another plane or scale gives the same images', () => {
  const centre = [10, -6, 4] as const;
  const size = [50, 50, 50] as const;
  const axial = ballVolume(centredGrid(size, [1.8, 1.8, 1.8], axialDirection), centre, 25).volume;
  const expected = prepareSlices(axial, input);
  for (const direction of [coronalDirection, sagittalDirection]) {
    const { volume } = ballVolume(centredGrid(size, [1.8, 1.8, 1.8], direction), centre, 25);
    const scaled = createVolume(
      Float32Array.from(volume.data, (x) => 1e-8 * x),
      volume.geometry,
    );
    const { grid, images } = prepareSlices(scaled, input);
    assert.ok(sameGrid(grid, expected.grid, 1e-6));
    const mean =
      images.reduce(
        (sum, image, k) => sum + image.reduce((s, x, n) => s + Math.abs(x - expected.images[k]![n]!), 0),
        0,
      ) /
      (images.length * 64 * 64);
    assert.ok(mean < 0.01, `${mean}`);
  }
});

test('zero slices stay constant slices, and a constant volume is refused', () => {
  const geometry = centredGrid([40, 40, 30], [2, 2, 2], axialDirection);
  const { volume } = ballVolume(geometry, [0, 0, 0], 20);
  const data = Int16Array.from(volume.data, (x, n) => (n < 5 * 1600 || n >= 25 * 1600 ? 0 : x));
  const { images } = prepareSlices(createVolume(data, geometry), input);
  assert.ok(images[2]!.every((x) => x === 0) && images[28]!.every((x) => x === 0));
  assert.ok(images[15]!.some((x) => x > 0.9));
  assert.throws(
    () => prepareSlices(createVolume(new Int16Array(data.length).fill(3), geometry), input),
    (error: unknown) => error instanceof AppError && error.code === 'series-no-contrast',
  );
});

test('a labelmap in any plane lands on the prepared pixels by patient position', () => {
  for (const [direction, thicknessMm] of [
    [coronalDirection, 2],
    [axialDirection, 3],
    [turnedDirection(0.3, -0.2, 0.4), 2],
  ] as const) {
    const geometry = centredGrid([50, 50, 40], [2, 2, thicknessMm], direction);
    const { volume, truth } = ballVolume(geometry, [5, 5, 5], 20);
    const prepared = prepareSlices(volume, input);
    const { label, known } = labelGrid({ data: truth, geometry, segments: [organ] }, everySlice(40), prepared.grid);
    let differing = 0;
    let labelled = 0;
    let unvouched = 0;
    const expected = scene(prepared.grid, (p) => (Math.hypot(p[0] - 5, p[1] - 5, p[2] - 5) <= 20 ? 1 : 0));
    for (const [n, value] of label.entries()) {
      if (value !== expected[n]) differing++;
      labelled += value;
      if (value === 1 && known[n] === 0) unvouched++;
    }
    assert.equal(unvouched, 0);
    assert.ok(labelled > 3000 && differing / labelled < 0.12, `${differing} of ${labelled}`);
  }
});

for (const [name, geometry] of [
  ['even', centredGrid([50, 50, 40], [2, 2, 3], coronalDirection)],
  [
    'uneven',
    spaceBy(centredGrid([50, 50, 40], [2, 2, 3], coronalDirection), [...Array(20).fill(1), 1.5, ...Array(9).fill(2)]),
  ],
] as const)
  test(`only pixels within half a slice of an approved slice are known: ${name} slices`, () => {
    const { volume, truth } = ballVolume(geometry, [0, 0, 0], 20);
    const prepared = prepareSlices(volume, input);
    const labelmap = { data: truth, geometry, segments: [organ] };
    const { known } = labelGrid(labelmap, new Set([20, 21]), prepared.grid);
    const lastSlice = sliceOfStep(geometry, lastStep(geometry) + 0.5);
    const end = [geometry.size[0] - 0.5, geometry.size[1] - 0.5, lastSlice] as const;
    for (const [n, isKnown] of known.entries()) {
      const voxel = [n % 64, Math.floor(n / 64) % 64, Math.floor(n / 4096)] as const;
      const index = patientToIndex(geometry, indexToPatient(prepared.grid, voxel));
      const isInside = index.every((x, axis) => x > -0.5 && x < end[axis]!);
      const isNear = index[2] > 19.5 && index[2] < 21.5;
      const isOnEdge = Math.abs(index[2] - 19.5) < 1e-3 || Math.abs(index[2] - 21.5) < 1e-3;
      if (!isOnEdge && (isKnown === 1) !== (isInside && isNear)) assert.fail(`known ${isKnown} at ${index}`);
    }
    assert.ok(known.includes(1));
    assert.ok(!labelGrid(labelmap, new Set(), prepared.grid).known.includes(1));
  });

test('a slice is content when a block of 8 x 8 pixels is, a window when one of 8 x 8 x 8 voxels is', () => {
  const blockIn = (count: number, at: number, size: readonly number[], value: number): Float32Array => {
    const image = new Float32Array(count);
    const [columns = 1, rows = 1, slices = 1] = size;
    for (let k = 0; k < slices; k++)
      for (let j = 0; j < rows; j++) image.fill(value, at + (k * 16 + j) * 16, at + (k * 16 + j) * 16 + columns);
    return image;
  };
  const slice = (size: readonly number[], value: number) => holdsContent(blockIn(256, 8 * 16 + 8, size, value), 16);
  assert.deepEqual(
    [slice([8, 8], 0.21), slice([8, 8], 0.19), slice([2, 8], 1), slice([1, 8], 1)],
    [true, false, true, false],
  );
  const window = (size: readonly number[], value: number, at = (8 * 16 + 8) * 16 + 8) =>
    holdsContent(blockIn(4096, at, size, value), 16, 16);
  assert.deepEqual([window([8, 8, 8], 0.21), window([8, 8, 8], 0.19), window([8, 8, 2], 1)], [true, false, true]);
  // Two bright slices that lie in two blocks are an eighth of each.
  assert.equal(window([8, 8, 2], 1, 7 * 256), false);
});
