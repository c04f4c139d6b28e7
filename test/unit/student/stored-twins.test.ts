import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { countOverlap, diceOf } from '../../../server/src/labelmap/metrics.ts';
import { segmentVolume } from '../../../server/src/student/segment.ts';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { indexToPatient, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { makeMultiFrame } from '../../fixtures/make-multi-frame.ts';
import { makeSeries, type SeriesOptions, type SliceAttributes } from '../../fixtures/make-series.ts';
import { axialDirection, centredGrid, turnedDirection } from '../volume/grids.ts';
import { ballVolume, card, idealPredict, scene } from './phantom.ts';

/** The labels of files, through decoding, geometry and the network's grid; and what was noted. */
async function segment(files: readonly Uint8Array[]) {
  const { volume, notes } = await assembleSeries(files, { maxVoxels: 1e6 });
  const { labelmap } = await segmentVolume(volume, card, idealPredict, { batch: 8 });
  return { labels: labelmap.data, notes };
}
const stored = (volume: Volume, options: SeriesOptions = {}) => segment(makeSeries(volume, options).files);
const differing = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, label, n) => sum + Number(label !== b[n]), 0);

const geometry = centredGrid([40, 40, 30], [2, 2, 2.5], turnedDirection(0.2, -0.1, 0.15));
const { volume, truth } = ballVolume(geometry, [1, -2, 3], 25);

test('a slope for each slice, and slopes near 1e-8, give the labelmap of one slope for all (S5)', async () => {
  const random = new Random(5);
  const slopes = Array.from({ length: 30 }, () => random.uniform(0.37, 2.9));
  const slope = (k: number) => (k === 0 ? 1 : (slopes[k] ?? 1));
  const { labels } = await stored(volume);
  assert.ok(diceOf(countOverlap(labels, truth, 1)) > 0.97);
  const scaled = createVolume(
    Float32Array.from(volume.data, (value) => value * 1e-8),
    geometry,
  );
  for (const [name, twin] of [
    ['fractional', stored(volume, { rescale: (k) => ({ slope: slope(k), intercept: -40 * (k % 7) }) })],
    ['whole, as a CT', stored(volume, { modality: 'CT', rescale: (k) => ({ slope: 1 + (k % 3), intercept: -1024 }) })],
    ['tiny', stored(scaled, { rescale: (k) => ({ slope: slope(k) * 1e-8, intercept: 0 }) })],
  ] as const) {
    const wrong = differing((await twin).labels, labels);
    assert.ok(wrong < 0.001 * labels.length, `${name}: ${wrong} of ${labels.length} voxels differ`);
  }
});

test('unsigned pixels, frames of one object, and other transfer syntaxes give the very labelmap', async () => {
  const { labels } = await stored(volume);
  const offset = { slope: 1, intercept: -1024 };
  const unsigned = { modality: 'CT' as const, rescale: () => offset, attributes: () => ({ PixelRepresentation: 0 }) };
  for (const [name, twin] of [
    ['unsigned', stored(volume, unsigned)],
    ['implicit', stored(volume, { transferSyntaxUid: '1.2.840.10008.1.2' })],
    [
      'a thickness and a spacing that are others',
      stored(volume, { attributes: () => ({ SliceThickness: '5', SpacingBetweenSlices: '-2.5' }) }),
    ],
    ['multi-frame', segment([makeMultiFrame(volume).file])],
    ['multi-frame, rescaled', segment([makeMultiFrame(volume, { rescale: () => offset }).file])],
  ] as const) {
    assert.equal(differing((await twin).labels, labels), 0, name);
  }
});

test('noise below the tolerances gives the same labelmap and at most one note (S7)', async () => {
  const random = new Random(7);
  const noise = (values: readonly number[], by: number) => values.map((v) => (v + random.uniform(-by, by)).toFixed(8));
  const { labels } = await stored(volume);
  const [row, column] = geometry.direction;
  for (const [name, attributes] of [
    ['orientation', () => ({ ImageOrientationPatient: noise([...row, ...column], 5e-5) })],
    ['pixel spacing', () => ({ PixelSpacing: noise([2, 2], 1e-3 / 40) })],
    [
      'positions of 4 decimals',
      (k: number) => ({ ImagePositionPatient: indexToPatient(geometry, [0, 0, k]).map((v) => v.toFixed(4)) }),
    ],
    [
      'positions',
      (k: number) => ({ ImagePositionPatient: noise(indexToPatient(geometry, [0, 0, k]), 1e-3 / Math.sqrt(3)) }),
    ],
  ] as [string, (k: number) => SliceAttributes][]) {
    const twin = await stored(volume, { attributes });
    const wrong = differing(twin.labels, labels);
    assert.ok(wrong < 0.001 * labels.length, `${name}: ${wrong} voxels differ`);
    assert.ok(twin.notes.length <= 1, `${name}: ${twin.notes.join(' ')}`);
  }
});

for (const modality of ['CT', 'MR'] as const) {
  test(`padding outside the circle of a ${modality}, declared or not, gives the labelmap of air there (S8)`, async () => {
    const grid = centredGrid([70, 70, 20], [1.4, 1.4, 3.5], axialDirection);
    const ball = ballVolume(grid, [0, 5, 0], 28);
    const air = modality === 'CT' ? -1000 : 0;
    const isOutside = scene(grid, (p: Vec3) => (Math.hypot(p[0], p[1]) > 46 ? 1 : 0));
    const outside = (value: (n: number) => number) =>
      createVolume(
        Int16Array.from(ball.volume.data, (seen, n) => (isOutside[n] ? value(n) : seen + air)),
        grid,
      );
    const { labels } = await stored(
      outside(() => air),
      { modality },
    );
    const declared = { PixelPaddingValue: -2000 };
    for (const [name, value, attributes] of [
      ['a value', () => -2000, declared],
      ['a range', (n: number) => -2000 + (n % 50), { ...declared, PixelPaddingRangeLimit: -1950 }],
      ['a bright value', () => 3000, { PixelPaddingValue: 3000 }],
      ['undeclared', () => -2000, {}],
    ] as const) {
      const twin = await stored(outside(value), { modality, attributes: () => attributes });
      const dice = diceOf(countOverlap(twin.labels, labels, 1));
      assert.ok(dice >= 0.99, `${name}: Dice ${dice}`);
      assert.ok(!twin.labels.some((label, n) => label === 1 && isOutside[n] === 1), `${name}: no ring`);
    }
  });
}
