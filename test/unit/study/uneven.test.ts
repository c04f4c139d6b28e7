import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { spacingOf } from '../../../server/src/study/slice-gaps.ts';
import { indexToPatient, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { makeSeries } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { leanBy, placesOf } from '../../fixtures/seg-request.ts';
import { obliqueGrid, phantom } from './phantom.ts';

const maxVoxels = 1e6;

/** A series with the given gaps and slice thickness, leaning if wanted. */
function seriesOf(gaps: readonly number[], thicknessMm: (k: number) => number | undefined, lean = 0) {
  const places = placesOf(gaps);
  const volume = phantom(places.length);
  const grid = leanBy(obliqueGrid(places.length), lean);
  const positionOf = (k: number): Vec3 => indexToPatient(grid, [0, 0, (places[k] ?? Number.NaN) / 2.5]);
  const attributes = (k: number) => ({
    ImagePositionPatient: positionOf(k).map((mm) => mm.toFixed(6)),
    SliceThickness: thicknessMm(k)?.toString(),
  });
  const { files } = makeSeries(volume, { modality: 'CT', attributes });
  return { volume, positionOf, files: [...files].reverse() };
}

const repeat = (count: number, mm: number): number[] => new Array<number>(count).fill(mm);

for (const lean of [0, 18])
  test(`thin and thick slices of one head are one volume, each slice where it lies, leaning by ${lean} degrees`, async () => {
    const gaps = [...repeat(5, 3), 4.5, ...repeat(4, 6)];
    const { volume, positionOf, files } = seriesOf(gaps, (k) => (k <= 5 ? 3 : 6), lean);
    const read = await assembleSeries(files, { maxVoxels });
    assert.deepEqual(read.volume.data, volume.data);
    const { geometry } = read.volume;
    for (const k of gaps.keys()) {
      const seen = indexToPatient(geometry, [0, 0, k]);
      assert.ok(Math.hypot(...seen.map((mm, axis) => mm - (positionOf(k)[axis] ?? Number.NaN))) < 1e-4, `slice ${k}`);
    }
    assert.equal(
      read.notes[read.notes.length - 1],
      'The gaps between slices run from 3.00 to 6.00 mm: the volume is resampled to even steps, the mask lies on the slices themselves.',
    );
    assert.equal(read.notes.length, lean === 0 ? 1 : 2);
  });

test('slices that became thick at once, or thin, are followed; the same gaps between thin slices are holes', async () => {
  for (const gaps of [
    [...repeat(6, 3), ...repeat(6, 6)],
    [...repeat(3, 3), ...repeat(9, 6)],
    [...repeat(6, 6), ...repeat(6, 3)],
    [...repeat(4, 2.5), ...repeat(9, 10)],
  ]) {
    const thickness = (k: number): number => gaps[Math.min(k, gaps.length - 1)] ?? 0;
    const { files } = seriesOf(gaps, thickness);
    const { geometry } = (await assembleSeries(files, { maxVoxels })).volume;
    const least = Math.min(...gaps);
    assert.ok(Math.abs(geometry.spacingMm[2] - least) < 1e-6);
    placesOf(gaps).forEach((mm, k) => {
      assert.ok(Math.abs((geometry.sliceSteps?.[k] ?? Number.NaN) - mm / least) < 1e-5);
    });
    for (const constant of [3, undefined])
      await refuses(
        assembleSeries(seriesOf(gaps, () => constant).files, { maxVoxels }),
        'series-missing-slices',
        /No slice at/,
      );
  }
});

test('where the line runs: half a slice may lack, room for a slice may not', () => {
  const judge = (gaps: readonly number[], thicknessMm?: number) =>
    spacingOf(placesOf(gaps).map((alongMm) => ({ alongMm, thicknessMm })));
  const around = (gap: number): number[] => [3, 3, 3, gap, 3, 3];
  for (const thicknessMm of [undefined, 3, 5]) {
    assert.deepEqual(judge(around(3.1), thicknessMm), { stepMm: 18.1 / 6 }, 'rounding is no gap');
    for (const gap of [0.7, 1.5, 2.8, 3.2, 4, 4.5]) {
      const { stepMm, sliceSteps } = judge(around(gap), thicknessMm);
      assert.ok(Math.abs(stepMm - Math.min(3, gap)) < 1e-9, `${gap}`);
      assert.equal(sliceSteps?.length, 7);
    }
    for (const gap of [0.5, 4.6, 5, 5.7, 6.5, 7.5, 10.5])
      assert.throws(() => judge(around(gap), thicknessMm), { code: 'series-uneven-spacing' }, `${gap}`);
    for (const [gap, at] of [
      [5.8, '11.9'],
      [6, '12'],
      [6.2, '12.1'],
      [9, '12, 15'],
    ] as const)
      assert.throws(() => judge(around(gap), thicknessMm), {
        code: 'series-missing-slices',
        message: new RegExp(`at ${at} mm`),
      });
  }
});

test('thickness that is no number says nothing, and a slice lost among thick ones is still missing', async () => {
  const gaps = [...repeat(4, 3), ...repeat(3, 6), 12, ...repeat(3, 6)];
  const lost = seriesOf(gaps, (k) => (k < 4 ? 3 : 6));
  await refuses(assembleSeries(lost.files, { maxVoxels }), 'series-missing-slices', /\(1 missing\)/);
  const odd = seriesOf([3, 3, 3, 4, 3], (k) => (k === 2 ? 0 : 3));
  assert.ok((await assembleSeries(odd.files, { maxVoxels })).volume.geometry.sliceSteps);
});

test('the volume in even steps must fit the limit, too', async () => {
  const { files } = seriesOf([2.5, 2.5, 2.5, ...repeat(6, 10)], (k) => (k < 3 ? 2.5 : 10));
  await refuses(assembleSeries(files, { maxVoxels: 3000 }), 'image-too-large', /12 x 10 x 28 voxels in even steps/);
});
