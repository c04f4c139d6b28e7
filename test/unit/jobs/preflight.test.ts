import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRoom, measureRoom, neededRoom } from '../../../server/src/jobs/preflight.ts';

const of = (network: 'prob-unet-2d' | 'prob-vnet-3d') =>
  neededRoom({ architecture: { network, variant: 'lite', classes: 2, inferenceParameters: 1e6 } });

test('a round that has no room is refused with what it needs and what is there', () => {
  const needed = of('prob-unet-2d');
  const free = { disk: needed.disk, memory: needed.memory };
  checkRoom(free, needed);
  assert.throws(() => checkRoom({ ...free, disk: 1e8 }, needed), {
    code: 'disk-full',
    message: 'A round needs 0.3 GB, 0.1 GB are free below UNCOL_HOME.',
    detail: { neededGb: 0.3, freeGb: 0.1 },
  });
  assert.throws(() => checkRoom({ ...free, memory: 5e8 }, needed), {
    code: 'memory-short',
    message: 'A round needs 1.5 GB, 0.5 GB are free in memory.',
  });
  assert.ok(of('prob-vnet-3d').memory > needed.memory);
});

test('the room of this machine is measured', async () => {
  const { disk, memory } = await measureRoom('.');
  assert.ok(disk > 0 && memory > 0);
});
