import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VoxelBlock } from '../../../server/src/study/voxel-block.ts';

test('slices that came in any order are put in the one that is asked for', () => {
  const order = fc
    .integer({ min: 1, max: 40 })
    .chain((count) => fc.shuffledSubarray([...Array(count).keys()], { minLength: count }));
  fc.assert(
    fc.property(order, (places) => {
      const block = new VoxelBlock(places.length, 3);
      const slices = places.map((_, n) => {
        const room = block.take();
        return new Int16Array(room.buffer, room.byteOffset, 3).fill(n);
      });
      const wanted = places.map((place) => slices[place]!);
      assert.ok(block.isMadeOf(wanted));
      const voxels = new Int16Array(block.arrange(wanted));
      assert.deepEqual(
        [...voxels],
        places.flatMap((place) => [place, place, place]),
      );
    }),
  );
});

test('a block is made of all its slices only, and gives no more room than it has', () => {
  const block = new VoxelBlock(2, 4);
  const slices = [block.take(), block.take()];
  assert.equal(block.isMadeOf(slices.slice(1)), false);
  assert.equal(block.isMadeOf([slices[0]!, new Uint8Array(8)]), false);
  assert.throws(() => block.take(), RangeError);
});
