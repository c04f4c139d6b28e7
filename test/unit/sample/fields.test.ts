import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { chamferDistance } from '../../../server/src/sample/distance.ts';
import { flipToPatient } from '../../../server/src/sample/flip.ts';
import { smoothField } from '../../../server/src/sample/smooth-field.ts';
import { indexToPatient, patientToIndex, type Vec3 } from '../../../server/src/volume/geometry.ts';

test('the chamfer distance from one voxel is within a tenth of the true distance, up to the cap', () => {
  const size: Vec3 = [21, 17, 15];
  const mask = new Uint8Array(size[0] * size[1] * size[2]);
  const at = (i: number, j: number, k: number): number => (k * size[1] + j) * size[0] + i;
  mask[at(4, 9, 6)] = 1;
  const distance = chamferDistance(mask, size, 45);
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++) {
        const truth = Math.hypot(i - 4, j - 9, k - 6);
        const found = distance[at(i, j, k)]! / 3;
        if (truth > 17) assert.equal(found, 15);
        else if (truth < 13)
          assert.ok(Math.abs(found - truth) <= 0.12 * truth, `${i},${j},${k}: ${found} for ${truth}`);
      }
});

test('a smooth field has a third of the spread of its coefficients and no steps', () => {
  const points = 41;
  const field = smoothField(new Random(5), 15, points, 9);
  const mean = field.reduce((sum, value) => sum + value, 0) / field.length;
  const sd = Math.sqrt(field.reduce((sum, value) => sum + (value - mean) ** 2, 0) / field.length);
  assert.ok(sd > 2 && sd < 4.5, `sd ${sd}`);
  let largestStep = 0;
  for (let n = 1; n < field.length; n++)
    if (n % points !== 0) largestStep = Math.max(largestStep, Math.abs(field[n]! - field[n - 1]!));
  assert.ok(largestStep < 1.5 * sd, `step ${largestStep}`);
  assert.deepEqual(smoothField(new Random(5), 15, points, 9), field);
});

test('turning a grid to the patient moves no voxel', () => {
  const geometry = {
    size: [3, 4, 2] as Vec3,
    spacingMm: [1, 2, 3] as Vec3,
    origin: [10, 20, 30] as Vec3,
    direction: [
      [-1, 0, 0],
      [0, -1, 0],
      [0, 0, 1],
    ] as [Vec3, Vec3, Vec3],
  };
  const volume = { data: Uint8Array.from({ length: 24 }, (_, n) => n), geometry };
  const turned = flipToPatient(volume);
  assert.deepEqual([...turned.geometry.direction[0]], [1, 0, 0]);
  for (let n = 0; n < 24; n++) {
    const position = indexToPatient(geometry, [n % 3, Math.floor(n / 3) % 4, Math.floor(n / 12)]);
    const [i, j, k] = patientToIndex(turned.geometry, position);
    assert.equal(turned.data[(k * 4 + j) * 3 + i], n);
  }
});
