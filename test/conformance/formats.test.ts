import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Labelmap } from '../../server/src/labelmap/labelmap.ts';
import { writeNifti } from '../../server/src/labelmap/nifti.ts';
import { writeNrrd } from '../../server/src/labelmap/nrrd.ts';
import { readNiftiFile } from '../../server/src/round/data/nifti.ts';
import { type Geometry, indexToPatient, leanDegrees, sameGrid, type Vec3 } from '../../server/src/volume/geometry.ts';
import { leanBy, randomSegRequest, spaceBy } from '../fixtures/seg-request.ts';
import { readWithPydicom, skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('python3', 'teem-unu');

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-formats-'));
});
after(() => rm(folder, { recursive: true }));

/** Random labels on random grids of either handedness, upright and leaning. */
const labelmaps = (): readonly Labelmap[] =>
  [31, 32, 33, 34, 35, 36].flatMap((seed) => {
    const { labelmap } = randomSegRequest(seed, [21, 17, 6]);
    return [labelmap, { ...labelmap, geometry: leanBy(labelmap.geometry, 18) }];
  });

/** Labels on uneven slices, and the nearest slice of each step; half-way the later one. */
const uneven = () => {
  const { labelmap } = randomSegRequest(37, [21, 17, 5]);
  return {
    labelmap: { ...labelmap, geometry: spaceBy(labelmap.geometry, [1, 1, 2, 2]) },
    slices: [0, 1, 2, 3, 3, 4, 4],
  };
};

interface SeenNifti {
  readonly shape: readonly number[];
  readonly sform: readonly (readonly number[])[];
  readonly qform: readonly (readonly number[])[] | null;
  readonly intent: string;
  readonly description: string;
  readonly voxels: readonly (readonly [number, number])[];
}

/** Where an affine of NIfTI puts a voxel, in DICOM's axes. */
function placeBy(affine: readonly (readonly number[])[], index: Vec3): Vec3 {
  const row = (axis: number) => {
    const [i = 0, j = 0, k = 0, offset = 0] = affine[axis] ?? [];
    return i * index[0] + j * index[1] + k * index[2] + offset;
  };
  return [-row(0), -row(1), row(2)];
}

function assertPlaces(affine: readonly (readonly number[])[], geometry: Geometry, what: string): void {
  for (const index of [
    [0, 0, 0],
    [20, 0, 0],
    [0, 16, 0],
    [20, 16, 5],
  ] as const) {
    const [seen, wanted] = [placeBy(affine, index), indexToPatient(geometry, index)];
    const off = Math.hypot(...seen.map((mm, axis) => mm - (wanted[axis] ?? Number.NaN)));
    assert.ok(off < 1e-3, `${what}: ${off} mm`);
  }
}

test('a mask as NIfTI lies where it lies, for nibabel and for our own reader', { skip }, async () => {
  for (const labelmap of labelmaps()) {
    const { geometry, data } = labelmap;
    const bytes = writeNifti(labelmap);
    const path = join(folder, 'mask.nii.gz');
    await writeFile(path, bytes);
    const seen = readWithPydicom<SeenNifti>('read-nifti.py', path);
    assert.deepEqual(seen.shape, geometry.size);
    assertPlaces(seen.sform, geometry, 'sform');
    if (leanDegrees(geometry.direction) === 0) assertPlaces(seen.qform ?? [], geometry, 'qform');
    else assert.equal(seen.qform, null, 'no qform can lean');
    const labels = new Uint8Array(data.length);
    for (const [n, label] of seen.voxels) labels[n] = label;
    assert.deepEqual(labels, data);
    assert.equal(seen.intent, 'label');
    assert.match(seen.description, /^AI-generated, research use/);
    const own = readNiftiFile(bytes, 1e6);
    assert.ok(sameGrid(own.geometry, geometry, 1e-3));
    assert.deepEqual(Uint8Array.from(own.data), data);
  }
});

test('a mask as NRRD lies where it lies, for teem, and names its segments as 3D Slicer wants', { skip }, async () => {
  for (const labelmap of labelmaps()) {
    const path = join(folder, 'mask.seg.nrrd');
    await writeFile(path, writeNrrd(labelmap));
    const unu = (...args: string[]) => execFileSync('/usr/bin/teem-unu', args, { maxBuffer: 1e8 });
    const plain = join(folder, 'plain.nrrd');
    unu('save', '-f', 'nrrd', '-e', 'raw', '-i', path, '-o', plain);
    assert.deepEqual(new Uint8Array(unu('data', plain)), labelmap.data);
    const header = unu('head', plain).toString();
    const vectors = (key: string) =>
      [...(new RegExp(`^${key}: (.*)$`, 'm').exec(header)?.[1] ?? '').matchAll(/\(([^)]*)\)/g)].map(([, text]) =>
        (text ?? '').split(',').map(Number),
      );
    const [origin = []] = vectors('space origin');
    const [u = [], v = [], w = []] = vectors('space directions');
    // LPS, as DICOM has it; rows of an affine are its columns here, with the signs of NIfTI.
    const affine = [0, 1, 2].map((axis) => {
      const sign = axis === 2 ? 1 : -1;
      return [u, v, w, origin].map((vector) => sign * (vector[axis] ?? Number.NaN));
    });
    assertPlaces(affine, labelmap.geometry, 'NRRD');
    assert.match(header, /^space: left-posterior-superior$/m);
    assert.match(header, /^Segment1_Name:=cerebellum$/m);
    assert.match(header, /^Segment1_LabelValue:=2$/m);
  }
});

test('a mask on uneven slices becomes even steps in both, each the nearest slice', () => {
  const { labelmap, slices } = uneven();
  const pixels = 21 * 17;
  const wanted = Buffer.concat(slices.map((k) => labelmap.data.subarray(k * pixels, (k + 1) * pixels)));
  const { sliceSteps: _, ...even } = labelmap.geometry;
  const own = readNiftiFile(writeNifti(labelmap), 1e6);
  assert.deepEqual(Buffer.from(Uint8Array.from(own.data)), wanted);
  assert.ok(sameGrid(own.geometry, { ...even, size: [21, 17, 7] }, 1e-3));
  const nrrd = Buffer.from(writeNrrd(labelmap));
  const end = nrrd.indexOf('\n\n');
  assert.match(nrrd.subarray(0, end).toString(), /^sizes: 21 17 7$/m);
  assert.deepEqual(gunzipSync(nrrd.subarray(end + 2)), wanted);
});
