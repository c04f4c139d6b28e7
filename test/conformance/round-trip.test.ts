import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout } from '../fixtures/validators.ts';
import { roundTrip } from '../proof/round-trip.ts';

test('masks on random grids come back voxel for voxel, by our reader and by pydicom', {
  skip: skipWithout('python3'),
}, async () => {
  const { wrongVoxels, wrongForPydicom, offMm } = await roundTrip(99, 120, () => undefined);
  assert.deepEqual([wrongVoxels, wrongForPydicom], [0, 0]);
  assert.ok(offMm < 1e-6, `${offMm} mm`);
});
