import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { tolerance } from '../../../server/src/study/tolerance.ts';
import { indexToPatient, sameGrid, type Vec3 } from '../../../server/src/volume/geometry.ts';
import type { Volume } from '../../../server/src/volume/volume.ts';
import { makeSeries, type SeriesOptions } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { obliqueGrid, phantom } from './phantom.ts';

const maxVoxels = 1e6;

/** Reads a series made from a volume with its files in another order. */
function read(volume: Volume, options: SeriesOptions = {}, change = (files: Uint8Array[]) => files) {
  const { files } = makeSeries(volume, options);
  return assembleSeries(change([...files].reverse()), { maxVoxels });
}

/** Position of slice k of the phantom, moved by `mm` in patient axes. */
const movedPosition = (k: number, mm: Vec3): readonly string[] => {
  const { origin, direction, spacingMm } = obliqueGrid(1);
  return origin.map((value, axis) => (value + direction[2][axis]! * spacingMm[2] * k + mm[axis]!).toFixed(6));
};
const alongNormal = (mm: number): Vec3 => obliqueGrid(1).direction[2].map((v) => v * mm) as unknown as Vec3;
const alongRow = (mm: number): Vec3 => [mm, 0, 0];

test('a shuffled oblique series comes back voxel for voxel on its grid', async () => {
  const volume = phantom();
  const made = makeSeries(volume);
  const series = await assembleSeries(
    [3, 0, 5, 1, 4, 2].map((n) => made.files[n]!),
    { maxVoxels },
  );
  assert.deepEqual(series.volume.data, volume.data);
  assert.ok(sameGrid(series.volume.geometry, volume.geometry, 1e-4));
  assert.deepEqual(
    series.instances.map(({ sopInstanceUid }) => sopInstanceUid),
    made.sopInstanceUids,
  );
  assert.deepEqual(series.notes, []);
});

test('noise of orientation, spacing and position below the tolerances is accepted (S7)', async () => {
  const volume = phantom();
  const { direction } = volume.geometry;
  const noise = (k: number): number => (k % 2 === 0 ? 1 : -1);
  const series = await read(volume, {
    attributes: (k) => ({
      ImageOrientationPatient: [...direction[0], ...direction[1]].map((v) => (v + noise(k) * 5e-5).toFixed(8)),
      PixelSpacing: [1.25 + noise(k) * 1e-3, 0.9765625 - noise(k) * 1e-3].map(String),
      ImagePositionPatient: movedPosition(k, [0, 0, 0]).map((v) => Number(v).toFixed(4)),
    }),
  });
  assert.deepEqual(series.volume.data, volume.data);
  assert.ok(sameGrid(series.volume.geometry, volume.geometry, 0.02));
  assert.deepEqual(series.notes, []);
});

test('positions rounded to a tenth of a millimetre are accepted', async () => {
  const attributes = (k: number) => ({
    ImagePositionPatient: movedPosition(k, [0, 0, 0]).map((v) => Number(v).toFixed(1)),
  });
  assert.equal((await read(phantom(), { attributes })).volume.geometry.size[2], 6);
});

test('a slice 0.2 mm off is read where it lies along the normal, with a note, and refused within the plane (S7)', async () => {
  const shift = (mm: Vec3): SeriesOptions => ({
    attributes: (k) => (k === 3 ? { ImagePositionPatient: movedPosition(k, mm) } : {}),
  });
  const { volume, notes } = await read(phantom(), shift(alongNormal(0.2)));
  assert.deepEqual(volume.data, phantom().data);
  assert.match(notes.join(), /^The gaps between slices run from 2\.30 to 2\.70 mm: the volume is resampled/);
  await refuses(read(phantom(), shift(alongRow(0.2))), 'series-mixed-geometry', /Instance 3 lies 0\.20 mm/);
});

test('a slice turned by 0.5 degree is refused by number (S7)', async () => {
  const angle = (0.5 * Math.PI) / 180 + 0.3;
  const turned = [1, 0, 0, 0, Math.cos(angle), Math.sin(angle)].map((v) => v.toFixed(8));
  const attributes = (k: number) => (k === 2 ? { ImageOrientationPatient: turned } : {});
  await refuses(read(phantom(), { attributes }), 'series-mixed-geometry', /^Instance 4 of 6 images: the orientation/);
});

for (const place of [0, 3, 5]) {
  test(`a coronal image at place ${place} of an axial series is named by its number (S6)`, async () => {
    const attributes = (k: number) =>
      k === place ? { ImageOrientationPatient: [1, 0, 0, 0, 0, -1], InstanceNumber: 77 } : {};
    await refuses(
      read(phantom(), { attributes }),
      'series-mixed-geometry',
      /^Instance 77 of 6 images: the orientation/,
    );
  });
}

test('an image of another size is named by its number (S6)', async () => {
  const attributes = (k: number) => (k === 0 ? { Rows: 12, Columns: 10, InstanceNumber: 77 } : {});
  await refuses(read(phantom(), { attributes }), 'series-mixed-geometry', /Instance 77 .*10 x 12 against 12 x 10/);
});

test('two three-slice localizers in one series are refused (S6)', async () => {
  const attributes = (k: number) => (k < 3 ? { ImageOrientationPatient: [0, 1, 0, 0, 0, -1] } : {});
  await refuses(read(phantom(), { attributes }), 'series-mixed-geometry', /the orientation differs from the other 3/);
});

test('missing slices are refused with their positions in mm', async () => {
  const without = (n: readonly number[]) => (files: Uint8Array[]) => files.filter((_, k) => !n.includes(5 - k));
  const { origin, direction } = obliqueGrid(1);
  const first = origin.reduce((sum, value, axis) => sum + value * direction[2][axis]!, 0);
  const at = (k: number): string => (first + 2.5 * k).toFixed(2).replace('.', '\\.').replace(/0$/, '0?');
  await refuses(
    read(phantom(), {}, without([2])),
    'series-missing-slices',
    new RegExp(`at ${at(2)} mm .*\\(1 missing`),
  );
  const eleven = phantom(11);
  const gaps = (files: Uint8Array[]) => files.filter((_, k) => ![5, 6].includes(10 - k));
  await refuses(read(eleven, {}, gaps), 'series-missing-slices', new RegExp(`at ${at(5)}, ${at(6)} mm`));
});

test('a gap that creeps makes an uneven volume, though each step is within the tolerance', async () => {
  const creep = (k: number): number => (k < 20 ? 0.05 * k : 1 - 0.05 * (k - 20));
  const attributes = (k: number) => ({ ImagePositionPatient: movedPosition(k, alongNormal(creep(k))) });
  assert.ok(0.05 * 2 < tolerance.gapMm);
  const { volume, notes } = await read(phantom(40), { attributes });
  assert.match(notes.join(), /run from 2\.45 to 2\.55 mm/);
  const { geometry } = volume;
  const evenAt = (k: number) => 2.5 * k + creep(k);
  for (const [k, steps] of (geometry.sliceSteps ?? []).entries())
    assert.ok(Math.abs(steps * geometry.spacingMm[2] - evenAt(k)) < 1e-4, `slice ${k}`);
});

test('slices of a tilted gantry are read where they lie, with a note; more than a gantry can is refused', async () => {
  const tilted = (degrees: number) => (k: number) => ({
    ImagePositionPatient: movedPosition(k, alongRow(Math.tan((degrees * Math.PI) / 180) * 2.5 * k)),
  });
  const { volume, notes } = await read(phantom(), { attributes: tilted(15) });
  assert.deepEqual(volume.data, phantom().data);
  for (const k of [0, 3, 5]) {
    const wanted = tilted(15)(k).ImagePositionPatient.map(Number);
    const seen = indexToPatient(volume.geometry, [0, 0, k]);
    assert.ok(Math.hypot(...seen.map((mm, axis) => mm - (wanted[axis] ?? Number.NaN))) < 1e-4);
  }
  assert.deepEqual(notes, [
    'The slices lean by 15.0 degrees, as of a tilted gantry: the volume is resampled upright, the mask lies on the slices themselves.',
  ]);
  await refuses(read(phantom(), { attributes: tilted(45) }), 'series-tilted', /45\.00 degrees/);
});

test('two different slices at one position are refused, both named', async () => {
  const attributes = (k: number) => (k === 4 ? { ImagePositionPatient: movedPosition(3, [0, 0, 0]) } : {});
  await refuses(
    read(phantom(), { attributes }),
    'series-duplicate-slices',
    /^Instance [23] and Instance [23] both lie/,
  );
});

test('byte-equal copies are dropped with a note, an altered copy is refused', async () => {
  const volume = phantom();
  const series = await read(volume, {}, (files) => [...files, files[2]!, files[3]!]);
  assert.deepEqual(series.volume.data, volume.data);
  assert.equal(series.instances.length, 6);
  assert.deepEqual(series.notes, ['2 byte-equal copies of instances are ignored.']);
  const altered = read(volume, {}, (files) => {
    const copy = Uint8Array.from(files[2]!);
    copy[copy.length - 1]! ^= 1;
    return [...files, copy];
  });
  await refuses(altered, 'series-duplicate-slices', /there twice with different contents/);
});

test('an instance that repeats the pixels of another at its position is dropped with a note', async () => {
  const volume = phantom();
  const uids = { studyInstanceUid: '1.2.1', seriesInstanceUid: '1.2.2' };
  const FrameOfReferenceUID = '1.2.3';
  const attributes = () => ({ FrameOfReferenceUID });
  const one = makeSeries(volume, { ...uids, attributes });
  const two = makeSeries(volume, { ...uids, attributes });
  const series = await assembleSeries([...one.files, two.files[1]!], { maxVoxels });
  assert.deepEqual(series.volume.data, volume.data);
  assert.match(series.notes.join(), /^1 instances repeat the pixels/);
});

test('too few slices, a single localizer, and too many voxels are refused', async () => {
  await refuses(read(phantom(2)), 'series-too-few-slices', /has 2 slices; 3 are needed/);
  const ImageType = ['ORIGINAL', 'PRIMARY', 'LOCALIZER'];
  await refuses(read(phantom(1), { attributes: () => ({ ImageType }) }), 'series-not-image', /single localizer/);
  const { files } = makeSeries(phantom());
  await refuses(assembleSeries(files, { maxVoxels: 719 }), 'image-too-large', /12 x 10 x 6 voxels; the limit is 719/);
});
