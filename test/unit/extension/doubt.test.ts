import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bands, findLeastSure } from '../../../extension/src/correction/doubt.ts';

const map = (...slices: number[][]) => ({
  head: { columns: 2, rows: 2, slices: slices.map((_, index) => `1.${index}`) },
  voxels: Uint8Array.from(slices.flat()),
});

test('the least sure slice is the one with most doubt; what counts as sure does not add up to doubt', () => {
  assert.equal(findLeastSure(map([80, 0, 0, 0], [40, 45, 0, 0], [29, 29, 29, 29])), '1.1');
  assert.equal(findLeastSure(map([29, 29, 29, 29], [0, 0, 0, 30])), '1.1');
  assert.equal(findLeastSure(map([0, 0, 0, 0], [29, 0, 0, 0])), null, 'sure of everything');
});

test('the two bands differ in lightness, so that they are told apart without colour vision', () => {
  const [look, first] = bands.map(({ colour: [r = 0, g = 0, b = 0] }) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
  assert.ok((look ?? 0) - (first ?? 0) > 100, `luma ${look} and ${first}`);
});
