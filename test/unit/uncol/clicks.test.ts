import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { clicksInTruth, surestClicks } from '../../../server/src/uncol/clicks.ts';
import { drawMixMask } from '../../../server/src/uncol/mix.ts';
import { promptsOfAnswer } from '../../../server/src/uncol/prompts.ts';

const size = { classes: 3, space: [3, 4, 6] };
const voxels = 3 * 4 * 6;
const at = (slice: number, row: number, column: number) => (slice * 4 + row) * 6 + column;

test('a labelled volume gets one click a class, anywhere in its segment, the same for the same seed', () => {
  const labels = new Uint8Array(voxels);
  const inside = [at(0, 1, 2), at(1, 1, 2), at(2, 3, 5)];
  for (const voxel of inside) labels[voxel] = 2;
  const seen = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const clicks = clicksInTruth(labels, size, new Random(seed));
    assert.deepEqual(clicks, clicksInTruth(labels, size, new Random(seed)));
    assert.deepEqual([clicks.length, clicks[0], clicks[1]?.length], [2, [], 1], 'class 1 is not there');
    for (const { slice, row, column } of clicks[1] ?? []) seen.add(at(slice, row, column));
  }
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    inside,
  );
});

test('an unlabelled volume gets a click where its teacher is surest, in the largest component of the class', () => {
  const probabilities = new Float32Array(3 * voxels);
  probabilities.fill(1, 0, voxels);
  const set = (voxel: number, label: number, p: number) => {
    probabilities[voxel] = 1 - p;
    probabilities[label * voxels + voxel] = p;
  };
  // Three voxels that touch at corners, across slices; the surest is not the first. Alone, and surer still, a fourth.
  set(at(0, 0, 0), 1, 0.7);
  set(at(1, 1, 1), 1, 0.9);
  set(at(2, 2, 2), 1, 0.8);
  set(at(0, 3, 5), 1, 0.99);
  const labels = Uint8Array.from({ length: voxels }, (_, voxel) => (probabilities[voxels + voxel]! > 0.5 ? 1 : 0));
  const expected = [[{ slice: 1, row: 1, column: 1 }], []];
  assert.deepEqual(surestClicks(probabilities, labels, size), expected);
  assert.deepEqual(promptsOfAnswer(probabilities, size, { margin: [0, 0], components: 3 }), expected);
});

test('the mix mask of a volume is one box of two thirds of each side, anywhere in it', () => {
  const random = Random.for(3, 'mask');
  const space = [12, 9, 15];
  const seen = new Uint8Array(12 * 9 * 15);
  for (let draw = 0; draw < 600; draw++) {
    const inside = [...drawMixMask(random, space, 2 / 3).entries()].flatMap(([voxel, value]) => (value ? [] : [voxel]));
    assert.equal(inside.length, 8 * 6 * 10);
    for (const [stride, side, count] of [
      [9 * 15, 12, 8],
      [15, 9, 6],
      [1, 15, 10],
    ] as const) {
      const places = inside.map((voxel) => Math.floor(voxel / stride) % side);
      assert.equal(Math.max(...places) - Math.min(...places) + 1, count);
    }
    for (const voxel of inside) seen[voxel] = 1;
  }
  assert.ok(seen.every((value) => value === 1));
});
