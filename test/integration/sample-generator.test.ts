import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import type { SampleTask } from '../../server/src/sample/task.ts';
import { indexToPatient, patientToIndex, type Vec3 } from '../../server/src/volume/geometry.ts';
import { findIntensityWindow } from '../../server/src/volume/intensity.ts';
import type { VoxelArray } from '../../server/src/volume/volume.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();
const twoMm: Vec3 = [2, 2, 2];
const sha256 = (array: VoxelArray): string => createHash('sha256').update(array).digest('hex');
const count = (mask: Uint8Array): number => mask.reduce((sum, value) => sum + value, 0);

function dice(a: Uint8Array, b: Uint8Array): number {
  let both = 0;
  for (let n = 0; n < a.length; n++) both += a[n]! & b[n]!;
  return (2 * both) / (count(a) + count(b));
}

/** Mean patient position of the set voxels. */
function centroid(mask: Uint8Array, geometry: Parameters<typeof indexToPatient>[0]): Vec3 {
  const [columns, rows] = geometry.size;
  const sum = [0, 0, 0];
  let n = 0;
  mask.forEach((value, o) => {
    if (value === 0) return;
    const index: Vec3 = [o % columns, Math.floor(o / columns) % rows, Math.floor(o / (columns * rows))];
    indexToPatient(geometry, index).forEach((mm, axis) => {
      sum[axis] = sum[axis]! + mm;
    });
    n++;
  });
  return [sum[0]! / n, sum[1]! / n, sum[2]! / n];
}

test('Colin27 lies in the patient as its atlas says: left is L, front is anterior, brain 1,737 ml', {
  skip,
}, async () => {
  const { t1, aal, brain } = await loadColin27(root);
  assert.equal(count(brain), 1_737_193);
  const of = (label: number): Vec3 =>
    centroid(
      aal.map((value) => (value === label ? 1 : 0)),
      t1.geometry,
    );
  // AAL: 1 Precentral_L, 2 Precentral_R, 43 Calcarine_L, 5 Frontal_Sup_Orb_L, 91 Cerebelum_Crus1_L. LPS: +x is left.
  assert.ok(of(1)[0] > 30 && of(2)[0] < -30, `precentral ${of(1)} | ${of(2)}`);
  assert.ok(of(43)[1] > 60, `calcarine cortex at the back: ${of(43)}`);
  assert.ok(of(5)[1] < -30, `orbital cortex at the front: ${of(5)}`);
  assert.ok(of(91)[2] < of(1)[2] - 60, 'the cerebellum lies below the precentral gyrus');
});

test('the same options give the same bytes, another seed gives others', { skip }, async () => {
  const colin = await loadColin27(root);
  for (const variation of ['sample', 'wide'] as const) {
    const options = { seed: 20001, task: 'lesion', variation, plane: 'coronal', spacingMm: [3, 3, 4] } as const;
    const first = generateSubject(colin, options);
    const second = generateSubject(colin, options);
    assert.equal(sha256(first.volume.data), sha256(second.volume.data));
    assert.equal(sha256(first.truth), sha256(second.truth));
    const other = generateSubject(colin, { ...options, seed: 20002 });
    assert.notEqual(sha256(first.volume.data), sha256(other.volume.data));
    const domainG = generateSubject(colin, { ...options, domain: 'G' });
    assert.notEqual(sha256(first.volume.data), sha256(domainG.volume.data));
    assert.equal(sha256(first.truth), sha256(domainG.truth), 'domain G is the same head');
  }
});

test('domain V is the same head with its tissues inverted', { skip }, async () => {
  const colin = await loadColin27(root);
  const options = { seed: 20001, variation: 'sample', plane: 'axial', spacingMm: [4, 4, 4] } as const;
  const { truth: brain } = generateSubject(colin, { ...options, task: 'brain' });
  const plain = generateSubject(colin, { ...options, task: 'lesion' });
  const inverted = generateSubject(colin, { ...options, task: 'lesion', domain: 'V' });
  assert.deepEqual(inverted.truth, plain.truth);
  const inBrain = [...brain.keys()].filter((n) => brain[n] === 1 && plain.truth[n] === 0);
  const mean = (of: (n: number) => number) => inBrain.reduce((sum, n) => sum + of(n), 0) / inBrain.length;
  const [a, b] = [plain.volume.data, inverted.volume.data];
  const [meanA, meanB] = [mean((n) => a[n]!), mean((n) => b[n]!)];
  assert.ok(mean((n) => (a[n]! - meanA) * (b[n]! - meanB)) < 0, 'what was bright is dark');
});

test('a subject is the one that models were trained and measured on, bit by bit', { skip }, async () => {
  const colin = await loadColin27(root);
  const of = (task: SampleTask, variation: 'sample' | 'wide', seed: number) => {
    const { volume, truth } = generateSubject(colin, {
      seed,
      task,
      variation,
      plane: 'coronal',
      spacingMm: [3, 3, 4],
    });
    return [volume.data, truth].map((array) => sha256(array).slice(0, 16));
  };
  assert.deepEqual(of('brain', 'sample', 20001), ['fc6a1bcc95ce2cc3', 'fed3982eb575c32d']);
  assert.deepEqual(of('lesion', 'sample', 20001), ['787b39698a92c987', 'd14e057455510bc5']);
  assert.deepEqual(of('parts', 'wide', 7), ['59df42d788149ac0', '0b4d5ceb59e1db28']);
  assert.deepEqual(of('intracranial', 'wide', 20001), ['ade70441e30d74fa', '2d0f6208e7f8d799']);
});

test('brains are as large as brains, and their scans show them', { skip }, async () => {
  const colin = await loadColin27(root);
  const volumesMl: number[] = [];
  for (let seed = 20000; seed < 20012; seed++) {
    const plane = (['axial', 'coronal', 'sagittal'] as const)[seed % 3]!;
    const { volume, truth } = generateSubject(colin, {
      seed,
      task: 'brain',
      variation: 'sample',
      plane,
      spacingMm: twoMm,
    });
    assert.ok(volume.data instanceof Uint16Array);
    const ml = (count(truth) * 8) / 1000;
    assert.ok(ml > 1150 && ml < 1950, `seed ${seed}: ${ml} ml`);
    volumesMl.push(ml);
    const window = findIntensityWindow(volume, { lowPercentile: 1, highPercentile: 99 });
    assert.ok(window.high - window.low > 100, `seed ${seed}: ${window.low}..${window.high}`);
    const means = [0, 1].map((side) => {
      let sum = 0;
      let n = 0;
      volume.data.forEach((value, o) => {
        if (truth[o] !== side) return;
        sum += value;
        n++;
      });
      return sum / n;
    });
    assert.ok(means[1]! > 1.3 * means[0]!, `seed ${seed}: brain ${means[1]}, rest ${means[0]}`);
  }
  assert.ok(Math.max(...volumesMl) - Math.min(...volumesMl) > 200, 'heads differ in size');
});

test('a lesion is one bright blob of 1 to 80 ml, 10 to 50 mm from the midline', { skip }, async () => {
  const colin = await loadColin27(root);
  const sides = new Set<boolean>();
  for (let seed = 10100; seed < 10106; seed++) {
    const shape = { seed, variation: 'sample', plane: 'axial', spacingMm: twoMm } as const;
    const { volume, truth } = generateSubject(colin, { ...shape, task: 'lesion' });
    const brain = generateSubject(colin, { ...shape, task: 'brain' }).truth;
    const ml = (count(truth) * 8) / 1000;
    assert.ok(ml > 1 && ml < 80, `seed ${seed}: ${ml} ml`);
    for (let n = 0; n < truth.length; n++) assert.ok(truth[n]! <= brain[n]!, 'a lesion lies in the brain');
    const [x] = centroid(truth, volume.geometry);
    const [midline] = centroid(brain, volume.geometry);
    assert.ok(Math.abs(x - midline) > 10 && Math.abs(x - midline) < 50, `seed ${seed}: ${x - midline} mm`);
    sides.add(x > midline);
    const mean = (mask: (n: number) => boolean): number => {
      const values = [...volume.data].filter((_, n) => mask(n));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const ratio = mean((n) => truth[n] === 1) / mean((n) => truth[n] === 0 && brain[n] === 1);
    assert.ok(ratio > 1.25, `seed ${seed}: ${ratio} times as bright as the rest of the brain`);
  }
  assert.equal(sides.size, 2, 'both sides occur');
});

test('one head scanned in three planes and two thicknesses is the same head', { skip }, async () => {
  const colin = await loadColin27(root);
  const shape = { seed: 20003, task: 'brain', variation: 'sample' } as const;
  const axial = generateSubject(colin, { ...shape, plane: 'axial', spacingMm: twoMm });
  for (const [plane, spacingMm] of [
    ['coronal', [2, 2, 2]],
    ['sagittal', [2, 2, 4]],
  ] as const) {
    const other = generateSubject(colin, { ...shape, plane, spacingMm });
    const target = axial.volume.geometry;
    const there = other.volume.geometry;
    const mask = new Uint8Array(axial.truth.length);
    const [columns, rows] = target.size;
    for (let o = 0; o < mask.length; o++) {
      const position = indexToPatient(target, [
        o % columns,
        Math.floor(o / columns) % rows,
        Math.floor(o / (columns * rows)),
      ]);
      const [i, j, k] = patientToIndex(there, position).map(Math.round) as [number, number, number];
      mask[o] = other.truth[(k * there.size[1] + j) * there.size[0] + i] ?? 0;
    }
    const agreement = dice(axial.truth, mask);
    assert.ok(agreement > 0.97, `${plane}: ${agreement}`);
  }
});

test('each task has its own truth on the same head', { skip }, async () => {
  const colin = await loadColin27(root);
  const subject = { seed: 20004, variation: 'sample', plane: 'axial', spacingMm: twoMm } as const;
  const of = (task: SampleTask) => generateSubject(colin, { ...subject, task });
  const parts = of('parts');
  const brain = of('brain');
  assert.deepEqual(parts.volume.data, brain.volume.data);
  assert.deepEqual(
    parts.truth.map((segment) => Math.min(segment, 1)),
    brain.truth,
  );
  const ml = (truth: Uint8Array, segment: number) =>
    (truth.reduce((sum, value) => sum + Number(value === segment), 0) * 8) / 1000;
  // Thalamus, caudate nucleus, putamen, hippocampus, cerebellum, rest of the brain, both sides together.
  const least = [9, 9, 9, 9, 120, 900];
  const most = [22, 22, 22, 22, 240, 1700];
  for (const [n, low] of least.entries()) {
    const volume = ml(parts.truth, n + 1);
    assert.ok(volume > low && volume < most[n]!, `segment ${n + 1}: ${volume} ml`);
  }
  const { truth: thalamus } = of('thalamus');
  assert.ok(Math.abs(ml(thalamus, 1) - ml(parts.truth, 1)) < 1.5);
  const { truth: inside } = of('intracranial');
  assert.ok(
    brain.truth.every((value, n) => value <= inside[n]!),
    'the brain lies in the skull',
  );
  assert.ok(ml(inside, 1) > 1.1 * ml(brain.truth, 1));
});
