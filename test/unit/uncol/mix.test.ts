import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import type { BoxRule } from '../../../server/src/uncol/boxes.ts';
import { drawMixMask, oneHot, paste } from '../../../server/src/uncol/mix.ts';
import { promptsOfAnswer } from '../../../server/src/uncol/prompts.ts';
import { evaluate, given } from './on-engine.ts';

test('the mix mask is one box of two thirds of each side, inside the frame', () => {
  for (const [size, side] of [
    [256, 170],
    [128, 85],
    [96, 64],
    [32, 21],
  ] as const) {
    const mask = drawMixMask(Random.for(1, size), [size, size], 2 / 3);
    const inside = [...mask.keys()].filter((pixel) => mask[pixel] === 0);
    assert.equal(inside.length, side * side);
    const rows = inside.map((pixel) => Math.floor(pixel / size));
    const columns = inside.map((pixel) => pixel % size);
    for (const line of [rows, columns]) assert.equal(Math.max(...line) - Math.min(...line) + 1, side);
  }
});

test('the mix mask moves over the whole frame and repeats with its seed', () => {
  const random = Random.for(3, 'mask');
  const first = Array.from({ length: 400 }, () => drawMixMask(random, [12, 15], 2 / 3));
  const seen = new Float32Array(12 * 15);
  for (const mask of first) for (const [pixel, value] of mask.entries()) seen[pixel] = (seen[pixel] ?? 0) + 1 - value;
  assert.ok(seen.every((count) => count > 0));
  const again = Random.for(3, 'mask');
  assert.deepEqual(drawMixMask(again, [12, 15], 2 / 3), first[0]);
  assert.deepEqual(drawMixMask(again, [12, 15], 2 / 3), first[1]);
});

test('pasting takes the image where the mask is 1, and labels become one-hot', async () => {
  const out = await evaluate(
    {
      image: given([1, 1, 1, 3], [1, 2, 0]),
      patch: given([2, 1, 1, 3], [0, 1, 2, 2, 2, 1]),
      mask: given([1, 1, 1, 3], [1, 0, 0]),
    },
    (ops, { image, patch, mask }) => {
      const mixed = paste(ops, image, patch, mask);
      return { mixed, classes: oneHot(ops, mixed, 3) };
    },
  );
  assert.deepEqual([...(out['mixed'] ?? [])], [1, 1, 2, 1, 2, 1]);
  assert.deepEqual([...(out['classes'] ?? [])], [0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0]);
});

const size = { classes: 3, space: [8, 10] };
const promptBoxes = (probabilities: Float32Array, rule: BoxRule) => promptsOfAnswer(probabilities, size, rule);
/** Certain probabilities of a picture: `.` background, digits classes. */
function picture(rows: readonly string[]): Float32Array {
  const pixels = 8 * 10;
  const probabilities = new Float32Array(3 * pixels);
  for (const [pixel, character] of [...rows.join('')].entries())
    probabilities[(character === '.' ? 0 : Number(character)) * pixels + pixel] = 1;
  return probabilities;
}

test('a prompt is the box of the largest 8-connected component of its class, its edges moved out to even pixels', () => {
  const boxes = promptBoxes(
    picture([
      '1.........',
      '.1........',
      '..1...11..',
      '...1..11..',
      '....1.....',
      '2222222222',
      '..........',
      '..........',
    ]),
    { margin: [0, 0], components: 1 },
  );
  assert.deepEqual(boxes, [[{ top: 0, left: 0, bottom: 5, right: 5 }], [{ top: 4, left: 0, bottom: 5, right: 9 }]]);
});

test('a box grows by its margin but not out of the frame', () => {
  const rows = Array.from({ length: 8 }, (_, row) => (row === 0 ? '...11.....' : '..........'));
  const boxes = promptBoxes(picture(rows), { margin: [0.2, 0], components: 1 });
  assert.deepEqual(boxes, [[{ top: 0, left: 0, bottom: 3, right: 7 }], []]);
});

test('both organs of a pair get a box, a speck gets none', () => {
  const rows = [
    '11......11',
    '11......11',
    '11........',
    '...1......',
    '.........1',
    '..........',
    '..........',
    '..........',
  ];
  const boxes = promptBoxes(picture(rows), { margin: [0, 0], components: 3 });
  assert.deepEqual(boxes[0], [
    { top: 0, left: 0, bottom: 3, right: 1 },
    { top: 0, left: 8, bottom: 1, right: 9 },
  ]);
});
