import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { packEnvelope, unpackEnvelope } from '../../../server/src/labelmap/envelope.ts';
import { keepDoubt, mapDoubt, packDoubt, packMap } from '../../../server/src/student/doubt.ts';
import { type Geometry, voxelCount } from '../../../server/src/volume/geometry.ts';
import { spaceBy } from '../../fixtures/seg-request.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

const grid = centredGrid([9, 8, 7], [4, 4, 4], axialDirection);
const source = spaceBy(centredGrid([30, 28, 5], [1.1, 1.2, 5], axialDirection), [1, 2, 1, 1]);
const head = { columns: 30, rows: 28, slices: ['1.1', '1.2', '1.3', '1.4', '1.5'] };

function drawn(seed: number) {
  const random = new Random(seed);
  return keepDoubt(
    Float32Array.from({ length: voxelCount(grid) }, () => random.next()),
    grid,
  );
}

const mapOf = (sliceOf: (slice: number) => Uint8Array, { size }: Geometry): number[] =>
  Array.from({ length: size[2] }, (_, k) => [...sliceOf(k)]).flat();

test('what was packed is mapped as what was kept, on an uneven grid too', async () => {
  const doubt = drawn(1);
  const sent = await unpackEnvelope(await packMap(await packDoubt(doubt, source, head)));
  assert.deepEqual(sent.head, head);
  const map = [...sent.labels];
  assert.deepEqual(map, mapOf(mapDoubt(doubt, source), source));
  assert.ok(map.some((x) => x > 60) && map.every((x) => x <= 100));
});

test('steps are the nearest, and certainty everywhere is a map of nothing', () => {
  const { steps } = keepDoubt(
    Float32Array.of(0, 0.001, 0.002, 0.5, 0.998, 1),
    centredGrid([6, 1, 1], [1, 1, 1], axialDirection),
  );
  assert.deepEqual([...steps], [0, 0, 1, 128, 254, 255]);
  const certain = keepDoubt(new Float32Array(voxelCount(grid)), grid);
  assert.ok(mapOf(mapDoubt(certain, source), source).every((x) => x === 0));
  assert.throws(() => mapDoubt({ grid, steps: certain.steps.subarray(1) }, source), RangeError);
});

test('a map that an earlier version packed is sent as it is', async () => {
  const packed = await packEnvelope(head, new Uint8Array(30 * 28 * 5).fill(7));
  assert.equal(await packMap(packed), packed);
});

test('nothing is mapped for a reader who has gone', async () => {
  const gone = AbortSignal.abort(new Error('gone'));
  await assert.rejects(packMap(await packDoubt(drawn(2), source, head), gone), /gone/);
});
