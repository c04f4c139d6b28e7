import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { countOverlap, diceOf } from '../../../server/src/labelmap/metrics.ts';
import { type Doubt, mapDoubt } from '../../../server/src/student/doubt.ts';
import type { Predict } from '../../../server/src/student/predict.ts';
import { segmentVolume } from '../../../server/src/student/segment.ts';
import { type Geometry, indexToPatient, patientToIndex, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { leanBy, spaceBy } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid, coronalDirection, sagittalDirection, turnedDirection } from '../volume/grids.ts';
import { ballVolume, card, idealPredict, organ, scene } from './phantom.ts';

const batch = { batch: 8 };
const diceWith = (truth: Uint8Array, data: Uint8Array): number => diceOf(countOverlap(data, truth, 1));
const isFault = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

/** Gaps in steps of 3 mm: 72 mm, as 24 even slices span. */
const thinAndThick = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.5, 2, 2, 2, 2, 2, 1.5];

for (const [name, geometry] of [
  ['axial 1 mm', centredGrid([70, 72, 68], [1, 1, 1], axialDirection)],
  ['coronal 1.5 mm', centredGrid([46, 46, 46], [1.5, 1.5, 1.5], coronalDirection)],
  ['sagittal, 0.9 mm pixels', centredGrid([80, 80, 44], [0.9, 0.9, 1.6], sagittalDirection)],
  ['oblique', centredGrid([72, 72, 46], [1, 1, 1.5], turnedDirection(0.35, -0.25, 0.5))],
  ['axial, 3 mm slices', centredGrid([80, 80, 24], [1, 1, 3], axialDirection)],
  ['oblique coronal, 4 mm slices', centredGrid([80, 80, 18], [1, 1, 4], turnedDirection(-1.4, 0.1, 0.2))],
  ['a gantry tilted by 20 degrees', leanBy(centredGrid([80, 110, 30], [1, 1, 2.5], axialDirection), 20)],
  ['3 mm slices, then 6 mm ones', spaceBy(centredGrid([80, 80, 24], [1, 1, 3], axialDirection), thinAndThick)],
  ['the same, tilted', leanBy(spaceBy(centredGrid([80, 110, 24], [1, 1, 3], axialDirection), thinAndThick), 20)],
] as [string, Geometry][])
  test(`a ball comes back through the network's grid with Dice above 0.97: ${name}`, async () => {
    const { volume, truth } = ballVolume(geometry, [2, -2, 1], 29);
    let doubt: Doubt | undefined;
    const onDoubt = (told: Doubt) => {
      doubt = told;
    };
    const { labelmap, uncertainty, timingsMs } = await segmentVolume(volume, card, idealPredict, { ...batch, onDoubt });
    const score = diceWith(truth, labelmap.data);
    assert.ok(score > 0.97, `${score}`);
    assert.equal(labelmap.geometry, geometry);
    assert.ok(uncertainty > 0 && uncertainty < 0.5, `${uncertainty}`);
    assert.deepEqual(Object.keys(timingsMs), ['resample', 'segment', 'decide']);
    const [columns, rows, slices] = geometry.size;
    const sliceOf = mapDoubt(doubt ?? assert.fail('no doubt was told'), geometry);
    const map = new Uint8Array(labelmap.data.length);
    for (let k = 0; k < slices; k++) map.set(sliceOf(k), k * rows * columns);
    const unsure = [...map.keys()].filter((n) => (map[n] ?? 0) >= 30);
    assert.ok(unsure.length > 100, `${unsure.length}`);
    for (const n of unsure) {
      const at: Vec3 = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
      const [x, y, z] = indexToPatient(geometry, at);
      const toSurfaceMm = Math.abs(Math.hypot(x - 2, y + 2, z - 1) - 29);
      assert.ok(toSurfaceMm < 6, `unsure ${toSurfaceMm} mm away from the surface of the ball`);
    }
  });

test('scale and offset of the stored values do not change the labelmap', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 30], [2, 2, 2.5], axialDirection), [0, 0, 0], 25);
  const expected = (await segmentVolume(volume, card, idealPredict, batch)).labelmap.data;
  for (const [a, b] of [
    [1e-8, 0],
    [0.37, -1024.5],
  ] as const) {
    const scaled = createVolume(
      Float32Array.from(volume.data, (x) => a * x + b),
      volume.geometry,
    );
    const seen = (await segmentVolume(scaled, card, idealPredict, batch)).labelmap.data;
    const differing = seen.reduce((sum, x, n) => sum + (x === expected[n] ? 0 : 1), 0);
    assert.ok(differing <= 0.001 * seen.length, `${differing}`);
  }
});

test('padding twins agree, and no ring of mask appears along the scan circle', async () => {
  const geometry = centredGrid([70, 70, 24], [1.4, 1.4, 3], axialDirection);
  const radius = (p: Vec3): number => Math.hypot(p[0], p[1]);
  const { volume, truth } = ballVolume(geometry, [0, 5, 0], 28);
  const isOutside = Uint8Array.from(scene(geometry, (p) => (radius(p) > 46 ? 1 : 0)));
  const fill = (value: number, mask?: Uint8Array): Volume =>
    createVolume(
      Int16Array.from(volume.data, (x, n) => (isOutside[n] === 1 ? value : x - 1000)),
      geometry,
      mask,
    );
  const air = (await segmentVolume(fill(-1000), card, idealPredict, batch)).labelmap.data;
  assert.ok(diceWith(truth, air) > 0.97);
  for (const [name, twin] of [
    ['with the tag', fill(-2000, isOutside)],
    ['bright, with the tag', fill(3000, isOutside)],
    ['without the tag', fill(-2000)],
  ] as const) {
    const { data } = (await segmentVolume(twin, card, idealPredict, batch)).labelmap;
    assert.ok(diceWith(air, data) >= 0.99, name);
    assert.ok(!data.some((label, n) => label === 1 && isOutside[n] === 1), name);
  }
});

test('zero slices are background and never reach the network', async () => {
  const geometry = centredGrid([50, 50, 60], [2, 2, 2], axialDirection);
  const { volume, truth } = ballVolume(geometry, [0, 0, 0], 25);
  const isZero = (n: number): boolean => n < 20 * 2500 || n >= 40 * 2500;
  const zeroed = createVolume(
    Int16Array.from(volume.data, (x, n) => (isZero(n) ? 0 : x)),
    geometry,
  );
  const sizes: number[] = [];
  const paintsAll: Predict = async (images, n) => {
    sizes.push(n);
    return idealPredict(images, n);
  };
  const { labelmap } = await segmentVolume(zeroed, card, paintsAll, batch);
  assert.deepEqual(sizes, [8, 8, 4]);
  const expected = truth.map((x, n) => (isZero(n) ? 0 : x));
  assert.ok(diceWith(expected, labelmap.data) > 0.95);
});

test('a constant volume is refused by name', async () => {
  const geometry = centredGrid([20, 20, 20], [2, 2, 2], axialDirection);
  const constant = createVolume(new Int16Array(8000).fill(40), geometry);
  await assert.rejects(segmentVolume(constant, card, idealPredict, batch), isFault('series-no-contrast'));
});

test('one bright voxel in a constant volume is no content; the uncertainty is a number, not NaN', async () => {
  const geometry = centredGrid([20, 20, 20], [2, 2, 2], axialDirection);
  const data = new Int16Array(8000);
  data[4210] = 1;
  const { labelmap, uncertainty } = await segmentVolume(createVolume(data, geometry), card, idealPredict, batch);
  assert.ok(Number.isFinite(uncertainty));
  assert.ok(!labelmap.data.includes(1));
});

test('noise alone never reaches the network', async () => {
  const geometry = centredGrid([40, 40, 24], [2, 2, 2], axialDirection);
  const { volume } = ballVolume(geometry, [0, 0, 0], 10);
  let seen = 0;
  const paintsAll: Predict = async (images, n) => {
    seen += n;
    const pixels = images.length / n;
    const probabilities = new Float32Array(2 * images.length).map((_, m) => (m % (2 * pixels) < pixels ? 0.1 : 0.9));
    return { probabilities, entropy: new Float32Array(images.length) };
  };
  await segmentVolume(volume, card, paintsAll, batch);
  // The ball is 10 slices high; its caps are too small to be content.
  assert.ok(seen >= 6 && seen <= 10, `${seen} of 24 slices`);
});

test('when the network finds nothing the mask is empty: uncertain as its entropy says, wholly where a segment is expected', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 20], [2, 2, 2], axialDirection), [0, 0, 0], 15);
  const findsNothing: Predict = async (images, n) => {
    const pixels = images.length / n;
    const probabilities = new Float32Array(2 * images.length).map((_, m) => (m % (2 * pixels) < pixels ? 0.9 : 0.1));
    return { probabilities, entropy: new Float32Array(images.length).fill(0.469) };
  };
  const { labelmap, uncertainty, missingSegments } = await segmentVolume(volume, card, findsNothing, batch);
  assert.ok(!labelmap.data.includes(1));
  assert.ok(Math.abs(uncertainty - 0.469) < 1e-6);
  assert.deepEqual(missingSegments, []);

  const expecting = { ...card, segments: card.segments.map((segment) => ({ ...segment, isExpected: true })) };
  const missed = await segmentVolume(volume, expecting, findsNothing, batch);
  assert.deepEqual([missed.missingSegments, missed.uncertainty], [[1], 1]);
  assert.equal(missed.meanEntropy, uncertainty);
  const found = await segmentVolume(volume, expecting, idealPredict, batch);
  assert.deepEqual(found.missingSegments, []);
  assert.equal(found.uncertainty, found.meanEntropy);
});

test('the uncertainty of each segment: its own where it is found, 1 where it should have been, else null', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 20], [2, 2, 2], axialDirection), [0, 0, 0], 25);
  const [organOnly] = card.segments;
  assert.ok(organOnly);
  const other = { ...organOnly, number: 2 };
  const noneOfOther: Predict = async (images, n) => {
    const { probabilities, entropy } = await idealPredict(images, n);
    const pixels = images.length / n;
    const three = new Float32Array(3 * images.length);
    for (let m = 0; m < n; m++) three.set(probabilities.subarray(2 * m * pixels, 2 * (m + 1) * pixels), 3 * m * pixels);
    return { probabilities: three, entropy };
  };
  for (const [isExpected, value] of [
    [false, null],
    [true, 1],
  ] as const) {
    const two = { ...card, segments: [organOnly, { ...other, isExpected }] };
    const { uncertaintyBySegment, meanEntropy } = await segmentVolume(volume, two, noneOfOther, batch);
    // The only segment that is found is the mask as a whole.
    assert.deepEqual(uncertaintyBySegment, [meanEntropy, value]);
  }
});

test('an answer that is not a number is a fault of the network, not an empty mask', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 20], [2, 2, 2], axialDirection), [0, 0, 0], 15);
  const breaks: Predict = async (images, n) => {
    const answer = await idealPredict(images, n);
    answer.probabilities[7] = Number.NaN;
    return answer;
  };
  await assert.rejects(segmentVolume(volume, card, breaks, batch), isFault('engine-failed'));
});

test('cancelling stops before the next batch', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 30], [2, 2, 2], axialDirection), [0, 0, 0], 15);
  const cancel = new AbortController();
  let runs = 0;
  const cancels: Predict = async (images, n) => {
    if (++runs === 2) cancel.abort();
    return idealPredict(images, n);
  };
  await assert.rejects(
    segmentVolume(volume, card, cancels, { ...batch, signal: cancel.signal }),
    isFault('job-cancelled'),
  );
  assert.equal(runs, 2);
});

test('progress names the stages in order and ends each at 100; doubt and mask are heard of as they are there', async () => {
  const { volume } = ballVolume(centredGrid([40, 40, 16], [2, 2, 2], axialDirection), [0, 0, 0], 24);
  const seen: string[] = [];
  await segmentVolume(volume, card, idealPredict, {
    ...batch,
    onProgress: (stage, percent) => void seen.push(`${stage} ${percent}`),
    onDoubt: ({ steps }) => void seen.push(steps.some((step) => step > 0) ? 'doubt' : 'no doubt'),
    onLabelmap: ({ data }) => void seen.push(data.includes(1) ? 'mask' : 'no mask'),
  });
  assert.deepEqual(seen, [
    'resample 0',
    'resample 100',
    'segment 0',
    'segment 50',
    'segment 100',
    'decide 0',
    'doubt',
    'mask',
    'decide 100',
  ]);
});

test('several classes and the rules of their segments are decided together', async () => {
  const geometry = centredGrid([60, 60, 40], [2, 2, 2], axialDirection);
  const far = (p: Vec3, x: number): number => Math.hypot(p[0] - x, p[1], p[2]);
  const value = (p: Vec3): number => (far(p, -20) < 14 ? 1000 : far(p, 20) < 14 ? 500 : far(p, 45) < 5 ? 1000 : 0);
  const random = new Random(5);
  const noisy = scene(geometry, (p) => value(p) + random.normal(10));
  const volume = createVolume(noisy, geometry);
  const twoClasses: Predict = async (images, n) => {
    const pixels = images.length / n;
    const probabilities = new Float32Array(3 * images.length);
    for (const [m, x] of images.entries()) {
      const winner = x > 0.75 ? 1 : x > 0.25 ? 2 : 0;
      probabilities[(Math.floor(m / pixels) * 3 + winner) * pixels + (m % pixels)] = 1;
    }
    return { probabilities, entropy: new Float32Array(images.length) };
  };
  const segments = [
    { ...organ, largestComponent: true, minVolumeMl: 0 },
    { ...organ, number: 2, label: 'Other', largestComponent: false, minVolumeMl: 5 },
  ];
  const { labelmap } = await segmentVolume(volume, { ...card, segments }, twoClasses, batch);
  const at = (p: Vec3): number => {
    const [i, j, k] = patientToIndex(geometry, p).map(Math.round) as unknown as Vec3;
    return labelmap.data[(k * 60 + j) * 60 + i]!;
  };
  assert.deepEqual(indexToPatient(geometry, [0, 0, 0]), [-59, -59, -39]);
  assert.deepEqual([at([-20, 0, 0]), at([20, 0, 0]), at([45, 0, 0]), at([0, 40, 0])], [1, 2, 0, 0]);
});
