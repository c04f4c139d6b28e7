import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { countOverlap, diceOf } from '../../server/src/labelmap/metrics.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { loadHeadCt } from '../../server/src/sample/head-ct.ts';
import { drawScan } from '../../server/src/sample/scanner.ts';
import {
  createGeometry,
  type Geometry,
  indexToPatient,
  leanDegrees,
  planeGrid,
  voxelCount,
} from '../../server/src/volume/geometry.ts';
import { resampleLabels } from '../../server/src/volume/nearest.ts';
import { resample } from '../../server/src/volume/resample.ts';
import type { VoxelArray } from '../../server/src/volume/volume.ts';
import { openShipped } from '../bench/shipped-model.ts';
import { headCtTruth } from '../fixtures/head-ct-truth.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();
const ct = { task: 'intracranial-ct', plane: 'axial', spacingMm: [2, 2, 2] } as const;

/** Share of the voxels for which it holds. */
function share(data: VoxelArray, holds: (hu: number, n: number) => boolean): number {
  let count = 0;
  data.forEach((hu, n) => {
    if (holds(hu, n)) count++;
  });
  return count / data.length;
}

/** Median HU of the voxels that are wanted. */
function median(data: VoxelArray, isWanted: (n: number) => boolean): number {
  const values = Float64Array.from(data).filter((_, n) => isWanted(n));
  return values.sort()[values.length >> 1] ?? Number.NaN;
}

test('a generated head CT has the numbers of air, brain, fat and bone, and a cavity as large as people have', {
  skip,
}, async () => {
  const colin = await loadColin27(root);
  for (const seed of [20000, 20001, 20002]) {
    const { volume, truth } = generateSubject(colin, { ...ct, seed, variation: 'sample' });
    const { data } = volume;
    assert.ok(data instanceof Int16Array, 'HU are signed');
    const ml = (truth.reduce((sum, value) => sum + value, 0) * 8) / 1000;
    assert.ok(ml > 1200 && ml < 2100, `seed ${seed}: ${ml} ml`);
    const brain = median(data, (n) => truth[n] === 1);
    assert.ok(brain > 22 && brain < 42, `seed ${seed}: brain of ${brain} HU`);
    assert.ok(share(data, (hu) => hu < -900) > 0.3, 'air');
    assert.ok(share(data, (hu) => hu > -140 && hu < -40) > 0.005, 'fat');
    assert.ok(share(data, (hu) => hu > 300) > 0.02, 'bone');
    assert.ok(share(data, (hu, n) => truth[n] === 1 && hu > 300) < 0.005, 'no bone in the cavity');
  }
});

test('where the cavity ends above the ears, bone begins', { skip }, async () => {
  const colin = await loadColin27(root);
  const change = { rotationDegrees: [0, 0, 0], noise: [0, 0] } as const;
  const { volume, truth } = generateSubject(colin, { ...ct, seed: 20003, variation: 'sample', change });
  const [columns, rows, slices] = volume.geometry.size;
  let [closed, all] = [0, 0];
  for (let k = Math.round(0.55 * slices); k < 0.75 * slices; k++)
    for (let j = 0; j < rows; j++) {
      const row = truth.subarray((k * rows + j) * columns, (k * rows + j + 1) * columns);
      const end = row.lastIndexOf(1);
      if (end < 0) continue;
      const beyond = volume.data.subarray((k * rows + j) * columns + end + 1, (k * rows + j) * columns + end + 5);
      all++;
      if (Math.max(...beyond) > 300) closed++;
    }
  assert.ok(all > 500 && closed > 0.98 * all, `${closed} of ${all} rows`);
});

test('some scans show a head rest, some are padded, and what is padded has no truth', { skip }, async () => {
  const colin = await loadColin27(root);
  const seen = { headRest: 0, padding: 0 };
  const padded = [];
  for (let seed = 20000; seed < 20040; seed++) {
    const { receiver } = drawScan({ ...ct, seed, variation: 'wide' }, ct.plane, ct.spacingMm, false);
    assert.equal(receiver.modality, 'CT');
    if (receiver.modality !== 'CT') continue;
    if (receiver.headRest) seen.headRest++;
    if (receiver.paddingHu === undefined) continue;
    seen.padding++;
    if (receiver.paddingHu < -1024) padded.push({ seed, paddingHu: receiver.paddingHu });
  }
  assert.ok(seen.headRest > 10 && seen.headRest < 36, `${seen.headRest} head rests`);
  assert.ok(seen.padding > 6 && seen.padding < 30, `${seen.padding} padded`);
  const [first] = padded;
  assert.ok(first);
  const { volume, truth } = generateSubject(colin, { ...ct, seed: first.seed, variation: 'wide' });
  assert.ok(share(volume.data, (hu) => hu === first.paddingHu) > 0.01);
  assert.equal(
    share(volume.data, (hu, n) => hu === first.paddingHu && truth[n] === 1),
    0,
  );
  assert.equal(
    share(volume.data, (hu) => hu < -1024 && hu !== first.paddingHu),
    0,
  );
});

test('the cavity of the real head CT, by its HU alone, has the volume that was looked at', { skip }, async () => {
  const volume = await loadHeadCt(root);
  const { data } = headCtTruth(volume);
  const [x, y, z] = volume.geometry.spacingMm;
  const ml = (data.reduce((sum, value) => sum + value, 0) * x * y * z) / 1000;
  assert.ok(Math.abs(ml - 1449) < 1, `${ml} ml`);
  const brain = median(volume.data, (n) => data[n] === 1);
  assert.ok(brain > 20 && brain < 30, `${brain} HU`);
});

test('the shipped model, which saw synthetic CTs only, finds the cavity of the real one', { skip }, async () => {
  const model = await openShipped(createOnnxEngine({ threads: 2 }), 'intracranial-ct');
  try {
    const volume = await loadHeadCt(root);
    const { labelmap, missingSegments } = await model.segment(volume);
    const dice = diceOf(countOverlap(labelmap.data, headCtTruth(volume).data, 1)) ?? 0;
    assert.ok(dice > 0.95, `Dice ${dice}`);
    assert.deepEqual(missingSegments, []);
  } finally {
    await model.close();
  }
});

test('the same head in a tilted gantry has the same cavity where it has the same slices', { skip }, async () => {
  const model = await openShipped(createOnnxEngine({ threads: 2 }), 'intracranial-ct');
  try {
    const volume = await loadHeadCt(root);
    const upright = planeGrid(volume.geometry, 'axial', [2, 2, 3]);
    const [, rows, slices] = upright.size;
    const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)];
    // Planes turned by 17 degrees about the axis from ear to ear, the table still moving along the head.
    const tilted = createGeometry({
      size: upright.size,
      spacingMm: upright.spacingMm,
      direction: [
        [1, 0, 0],
        [0, cos, sin],
        [0, 0, 1],
      ],
      origin: indexToPatient(upright, [0, ((1 - cos) * (rows - 1)) / 2, -(sin * (rows - 1)) / 3]),
    });
    assert.ok(leanDegrees(tilted.direction) > 17);
    const scan = (grid: Geometry) => resample(volume, grid, { outside: -1000 }).volume;
    const [straight, leaning] = [await model.segment(scan(upright)), await model.segment(scan(tilted))];
    const carried = resampleLabels(leaning.labelmap.data, tilted, upright);
    // Corners of the upright box that the tilted slices do not reach count for neither.
    const reached = resampleLabels(new Uint8Array(voxelCount(tilted)).fill(1), tilted, upright);
    const seen = straight.labelmap.data.map((label, n) => (reached[n] === 1 ? label : 0));
    const dice = diceOf(countOverlap(seen, carried, 1));
    assert.ok(dice > 0.96, `Dice ${dice} on ${slices} slices`);
  } finally {
    await model.close();
  }
});
