import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Random } from '../../../../server/src/engine/random.ts';
import { AppError } from '../../../../server/src/errors/app-error.ts';
import { readNiftiFile } from '../../../../server/src/round/data/nifti.ts';
import { createGeometry, indexToPatient, type Vec3 } from '../../../../server/src/volume/geometry.ts';
import { createVolume } from '../../../../server/src/volume/volume.ts';
import { makeNifti, type NiftiOptions, toNifti2 } from '../../../fixtures/make-nifti.ts';
import { randomGeometry } from '../../../fixtures/seg-request.ts';

const maxVoxels = 1e6;
const size: Vec3 = [5, 4, 3];
const ramp = (geometry = randomGeometry(Random.for(3, 'nifti'), size)) =>
  createVolume(
    Int16Array.from({ length: 60 }, (_, n) => n),
    geometry,
  );
const upright = createGeometry({
  size,
  spacingMm: [1, 1.5, 3],
  origin: [-20, 30, 40],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
});

const near = (a: readonly number[], b: readonly number[]) =>
  a.forEach((value, n) => {
    assert.ok(Math.abs(value - (b[n] ?? Number.NaN)) < 1e-3, `${a} is not ${b}`);
  });

for (const options of [
  {},
  { compress: true },
  { littleEndian: false },
  { type: 'uint8' },
  { type: 'uint16' },
  { type: 'int32' },
  { type: 'float32', littleEndian: false, compress: true },
  { type: 'float64' },
  { slope: 0 },
  { slope: Number.NaN, intercept: Number.NaN },
  { dimensions: [4, ...size, 1, 1, 1, 1] },
] as readonly NiftiOptions[]) {
  test(`voxels and their places come back from a file with ${JSON.stringify(options)}`, () => {
    const volume = ramp();
    const read = readNiftiFile(makeNifti(volume, options), maxVoxels);
    assert.deepEqual([...read.data], [...volume.data]);
    assert.deepEqual(read.geometry.size, size);
    for (const index of [
      [0, 0, 0],
      [4, 3, 2],
      [4, 0, 1],
    ] as const) {
      near(indexToPatient(read.geometry, index), indexToPatient(volume.geometry, index));
    }
  });
}

test('a NIfTI-2 file is read like a NIfTI-1 file', () => {
  const file = makeNifti(ramp(), { slope: 2, intercept: 1 });
  assert.deepEqual(readNiftiFile(toNifti2(file), maxVoxels), readNiftiFile(file, maxVoxels));
});

test('scl_slope and scl_inter are applied', () => {
  const { data } = readNiftiFile(makeNifti(ramp(), { slope: 0.5, intercept: -3 }), maxVoxels);
  assert.deepEqual([...data.subarray(0, 4)], [-3, -2.5, -2, -1.5]);
});

test('the qform places the image when there is no sform, whichever way its axes turn', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const volume = ramp(randomGeometry(Random.for(seed, 'qform'), size));
    const { geometry } = readNiftiFile(makeNifti(volume, { place: 'qform' }), maxVoxels);
    for (const index of [
      [0, 0, 0],
      [4, 3, 2],
      [1, 3, 0],
    ] as const) {
      near(indexToPatient(geometry, index), indexToPatient(volume.geometry, index));
    }
  }
});

test('the sform wins over a qform that says something else', () => {
  const volume = ramp();
  const { geometry } = readNiftiFile(makeNifti(volume, { place: 'both' }), maxVoxels);
  near(indexToPatient(geometry, [4, 3, 2]), indexToPatient(volume.geometry, [4, 3, 2]));
});

test('voxels that are no number become padding', () => {
  const volume = createVolume(
    Float32Array.from({ length: 60 }, (_, n) => (n === 7 ? Number.NaN : n)),
    upright,
  );
  const { data, padding } = readNiftiFile(makeNifti(volume, { type: 'float32' }), maxVoxels);
  assert.deepEqual([data[7], padding?.[7], padding?.[8]], [0, 1, 0]);
});

const sheared = [1, 0.3, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
for (const [name, file, code, message] of [
  ['of two files', makeNifti(ramp(), { magic: 'ni1\0' }), 'nifti-invalid', /second file/],
  ['with another magic', makeNifti(ramp(), { magic: 'abcd' }), 'nifti-invalid', /no NIfTI image/],
  ['that is text', new TextEncoder().encode('x'.repeat(500)), 'nifti-invalid', /no NIfTI image/],
  ['of no bytes', new Uint8Array(0), 'nifti-invalid', /no NIfTI image/],
  ['of gzip bytes that are none', Uint8Array.of(0x1f, 0x8b, 1, 2, 3), 'nifti-invalid', /cannot be unpacked/],
  ['of complex numbers', makeNifti(ramp(), { typeCode: 32 }), 'nifti-invalid', /data type 32/],
  ['of two dimensions', makeNifti(ramp(), { dimensions: [2, 5, 4, 1, 1, 1, 1, 1] }), 'nifti-invalid', /2 dimensions/],
  ['of many frames', makeNifti(ramp(), { dimensions: [4, 5, 4, 3, 7, 1, 1, 1] }), 'nifti-invalid', /5 x 4 x 3 x 7/],
  ['with a side of -4', makeNifti(ramp(), { dimensions: [3, 5, -4, 3, 1, 1, 1, 1] }), 'nifti-invalid', /5 x -4 x 3/],
  ['without a place', makeNifti(ramp(), { place: 'none' }), 'nifti-invalid', /neither sform nor qform/],
  ['with sheared axes', makeNifti(ramp(), { sform: sheared }), 'nifti-invalid', /sheared/],
  ['with axes of no length', makeNifti(ramp(), { sform: new Array(12).fill(0) }), 'nifti-invalid', /no length/],
  ['cut off', makeNifti(ramp()).subarray(0, 400), 'nifti-invalid', /cut off: 400 bytes, where 472/],
  ['of too many voxels', makeNifti(ramp(), { dimensions: [3, 900, 900, 900] }), 'image-too-large', /limit is 1000000/],
] as const) {
  test(`a file ${name} is refused`, () =>
    assert.throws(
      () => readNiftiFile(file, maxVoxels),
      (error) => {
        assert.ok(error instanceof AppError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      },
    ));
}

test('a compressed file is refused wherever it is cut, and one that unpacks to far more than it says', () => {
  const random = Random.for(4, 'noise');
  const noisy = createVolume(
    Int16Array.from({ length: 60 }, () => random.int(30_000)),
    upright,
  );
  const file = makeNifti(noisy, { compress: true });
  const refused = { code: 'nifti-invalid' };
  for (let length = 0; length < file.length; length++) {
    assert.throws(() => readNiftiFile(file.subarray(0, length), maxVoxels), refused, `${length} bytes`);
  }
  const bomb = gzipSync(Buffer.concat([makeNifti(noisy), Buffer.alloc(50 * 2 ** 20)]));
  assert.ok(bomb.length < 100_000);
  assert.throws(() => readNiftiFile(bomb, maxVoxels), { code: 'nifti-invalid', message: /more than its header says/ });
});

test('header bytes changed at random give an image or a reason, never another fault', () => {
  const random = Random.for(9, 'header');
  const file = makeNifti(ramp());
  let refused = 0;
  for (let n = 0; n < 3000; n++) {
    const changed = file.slice();
    for (let k = 0; k < 3; k++) changed[random.int(352)] = random.int(256);
    try {
      const { data, geometry } = readNiftiFile(changed, maxVoxels);
      assert.equal(data.length, geometry.size[0] * geometry.size[1] * geometry.size[2]);
    } catch (error) {
      assert.ok(error instanceof AppError, `${n}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 100 && refused < 2900, `${refused} refused`);
});
