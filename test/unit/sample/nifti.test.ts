import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { readNifti } from '../../../server/src/sample/nifti.ts';
import { indexToPatient } from '../../../server/src/volume/geometry.ts';

/** A NIfTI-1 file of int16 voxels 0, 1, 2 ... with an sform. */
function niftiFile(size: readonly number[], rows: readonly (readonly number[])[], sformCode = 4): Uint8Array {
  const voxels = size.reduce((product, n) => product * n, 1);
  const file = Buffer.alloc(352 + 2 * voxels);
  file.writeInt32LE(348, 0);
  [3, ...size, 1, 1, 1, 1].forEach((n, index) => {
    file.writeInt16LE(n, 40 + 2 * index);
  });
  file.writeInt16LE(4, 70);
  file.writeInt16LE(16, 72);
  file.writeFloatLE(352, 108);
  file.writeInt16LE(sformCode, 254);
  rows.flat().forEach((value, index) => {
    file.writeFloatLE(value, 280 + 4 * index);
  });
  file.write('n+1\0', 344, 'latin1');
  for (let n = 0; n < voxels; n++) file.writeInt16LE(n, 352 + 2 * n);
  return gzipSync(file);
}

const affine = [
  [0, 0, 3, -10],
  [-2, 0, 0, 20],
  [0, 1.5, 0, 30],
];

test('a voxel of a NIfTI image lies where its sform says, with RAS turned into LPS', () => {
  const { data, geometry } = readNifti(niftiFile([4, 3, 2], affine));
  assert.deepEqual([...geometry.size], [4, 3, 2]);
  assert.deepEqual([...geometry.spacingMm], [2, 1.5, 3]);
  assert.equal(data[(1 * 3 + 2) * 4 + 3], 23);
  // RAS of voxel (3, 2, 1): (-10 + 3, 20 - 6, 30 + 3).
  assert.deepEqual([...indexToPatient(geometry, [3, 2, 1])], [7, -14, 33]);
});

for (const [name, bytes] of [
  ['without an sform', niftiFile([4, 3, 2], affine, 0)],
  [
    'with a sheared sform',
    niftiFile(
      [4, 3, 2],
      [
        [1, 0.2, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
      ],
    ),
  ],
  ['that is something else', gzipSync(Buffer.alloc(400))],
] as const) {
  test(`an image ${name} is refused`, () => {
    assert.throws(
      () => readNifti(bytes),
      (error) => error instanceof AppError && error.code === 'setup-failed',
    );
  });
}
