import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findComponents, removeComponents } from '../../../server/src/labelmap/components.ts';
import type { Vec3 } from '../../../server/src/volume/geometry.ts';

const side = fc.integer({ min: 1, max: 7 });
const drawing = fc.tuple(side, side, side, fc.integer({ min: 1, max: 5 })).chain(([columns, rows, slices, sparse]) =>
  fc.record({
    size: fc.constant([columns, rows, slices] as Vec3),
    labels: fc
      .array(fc.integer({ min: 0, max: sparse }), {
        minLength: columns * rows * slices,
        maxLength: columns * rows * slices,
      })
      .map((values) => Uint8Array.from(values, (x) => (x > 1 ? 0 : x))),
  }),
);

/** Component number of each voxel by flood fill, numbered by first voxel, -1 elsewhere. */
function floodFill(labels: Uint8Array, [columns, rows, slices]: Vec3): number[] {
  const component = Array.from(labels, () => -1);
  let next = 0;
  for (let seed = 0; seed < labels.length; seed++) {
    if (labels[seed] !== 1 || component[seed] !== -1) continue;
    const open = [seed];
    component[seed] = next;
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      const [i, j, k] = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
      for (let step = 0; step < 27; step++) {
        const [x, y, z] = [i + (step % 3) - 1, j + (Math.floor(step / 3) % 3) - 1, k + Math.floor(step / 9) - 1];
        if (x < 0 || y < 0 || z < 0 || x >= columns || y >= rows || z >= slices) continue;
        const m = (z * rows + y) * columns + x;
        if (labels[m] !== 1 || component[m] !== -1) continue;
        component[m] = next;
        open.push(m);
      }
    }
    next++;
  }
  return component;
}

test('components equal those of a flood fill over 26 neighbours', () => {
  fc.assert(
    fc.property(drawing, ({ size, labels }) => {
      const { runStart, runLength, runComponent, voxels } = findComponents(labels, size, 1);
      const painted = Array.from(labels, () => -1);
      for (const [run, start] of runStart.entries()) painted.fill(runComponent[run]!, start, start + runLength[run]!);
      const expected = floodFill(labels, size);
      assert.deepEqual(painted, expected);
      for (const [n, count] of voxels.entries()) assert.equal(count, expected.filter((c) => c === n).length);
    }),
    { numRuns: 300 },
  );
});

test('voxels that touch only by a corner belong together, and rows do not wrap round', () => {
  const labels = new Uint8Array(27);
  labels[0] = 1;
  labels[13] = 1;
  assert.equal(findComponents(labels, [3, 3, 3], 1).voxels.length, 1);
  assert.deepEqual(findComponents(Uint8Array.from([0, 0, 1, 1, 0, 0]), [3, 2, 1], 1).voxels, [1, 1]);
});

test('only the largest component stays, and other classes are not touched', () => {
  const labels = Uint8Array.from([1, 1, 0, 1, 0, 1, 1, 1, 0, 2]);
  removeComponents(labels, [10, 1, 1], 1, { largestOnly: true, minVoxels: 0 });
  assert.deepEqual([...labels], [0, 0, 0, 0, 0, 1, 1, 1, 0, 2]);
});

test('components below the least size go, also the largest one', () => {
  const labels = Uint8Array.from([1, 1, 0, 1, 0, 1, 1, 1]);
  removeComponents(labels, [8, 1, 1], 1, { largestOnly: false, minVoxels: 2 });
  assert.deepEqual([...labels], [1, 1, 0, 0, 0, 1, 1, 1]);
  removeComponents(labels, [8, 1, 1], 1, { largestOnly: true, minVoxels: 4 });
  assert.deepEqual([...labels], [0, 0, 0, 0, 0, 0, 0, 0]);
});

test('an empty class has no component', () => {
  const labels = new Uint8Array(8);
  assert.deepEqual(findComponents(labels, [2, 2, 2], 1).voxels, []);
  removeComponents(labels, [2, 2, 2], 1, { largestOnly: true, minVoxels: 5 });
  assert.ok(labels.every((x) => x === 0));
});
