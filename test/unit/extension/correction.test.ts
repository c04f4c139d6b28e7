import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approve } from '../../../extension/src/correction/approval.ts';
import { compareMasks, copyMask, isSameMask, type MaskSlice } from '../../../extension/src/correction/difference.ts';
import { frameOf } from '../../../extension/src/correction/frame.ts';
import { measureSteps } from '../../../extension/src/correction/step.ts';
import { keyEnvelope } from '../../../extension/src/correction/submission-key.ts';

import { nextUnticked, withTick } from '../../../extension/src/correction/ticks.ts';

const mask = (...slices: readonly (readonly number[])[]): MaskSlice[] =>
  slices.map((voxels, index) => ({ sliceId: `1.${index}`, voxels: Uint8Array.from(voxels) }));

test('an untouched mask differs in nothing and has Dice 1', () => {
  const model = mask([0, 1, 1, 0], [2, 2, 0, 0]);
  const { mlBySegment, ...difference } = compareMasks(model, copyMask(model), [0.5, 0.5]);
  assert.deepEqual(difference, { changedVoxels: 0, addedMl: 0, removedMl: 0, dice: 1, editedSlices: [] });
  assert.deepEqual(
    [...mlBySegment],
    [
      [1, 1],
      [2, 1],
    ],
  );
});

test('added, removed and relabelled voxels are counted in voxels, millilitres, Dice and slices', () => {
  const model = mask([0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 2, 0]);
  const reader = mask([1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]);
  const difference = compareMasks(model, reader, [0.25, 0.25, 0.25]);
  assert.equal(difference.changedVoxels, 3);
  assert.equal(difference.addedMl, 0.5, 'one new voxel and one of another segment');
  assert.equal(difference.removedMl, 0.5, 'one erased voxel and one of another segment');
  // Equal foreground 3; 5 foreground voxels in each.
  assert.equal(difference.dice, 6 / 10);
  assert.deepEqual(difference.editedSlices, ['1.0', '1.2']);
  assert.deepEqual([...difference.mlBySegment], [[1, 1.25]]);
});

test('empty against empty is 1, something against nothing is 0, never NaN', () => {
  assert.equal(compareMasks(mask([0, 0]), mask([0, 0]), [1, 1]).dice, 1);
  assert.equal(compareMasks(mask([1, 1]), mask([0, 0]), [1, 1]).dice, 0);
  assert.equal(compareMasks(mask([0, 0]), mask([0, 1]), [1, 1]).dice, 0);
});

test('masks of other slices or sizes are never compared', () => {
  assert.throws(() => compareMasks(mask([0], [0]), mask([0]), [1, 1]), RangeError);
  assert.throws(() => compareMasks(mask([0, 0]), mask([0]), [1, 1]), RangeError);
  const other = [{ sliceId: '9.9', voxels: Uint8Array.of(0) }];
  assert.throws(() => compareMasks(mask([0]), other, [1, 1]), /source image/);
});

test('a copy does not follow later strokes', () => {
  const live = mask([0, 1]);
  const copy = copyMask(live);
  assert.ok(isSameMask(live, copy));
  (live[0] as MaskSlice).voxels[0] = 1;
  assert.ok(!isSameMask(live, copy));
  assert.deepEqual([...(copy[0] as MaskSlice).voxels], [0, 1]);
});

const allSlices = ['1.0', '1.1', '1.2'];

test('edited and ticked slices are vouched for, no others, in the order of the series', () => {
  const vouched = (tickedSlices: readonly string[]) =>
    approve({ allSlices, editedSlices: ['1.1'], tickedSlices }).approvedSlices;
  assert.deepEqual(vouched([]), ['1.1']);
  assert.deepEqual(vouched(['1.2', '1.1']), ['1.1', '1.2']);
  assert.deepEqual(vouched(['1.2', '1.0', '1.1']), allSlices);
  assert.deepEqual(vouched(['9.9']), ['1.1'], 'a slice of another series');
});

test('a tick is set and taken away, and the next slice without one is found past the end', () => {
  const slices = allSlices;
  assert.deepEqual(withTick({ slices, tickedSlices: ['1.0'] }, '1.2', true), ['1.0', '1.2']);
  assert.deepEqual(withTick({ slices, tickedSlices: ['1.0', '1.2'] }, '1.2', true), ['1.0', '1.2']);
  assert.deepEqual(withTick({ slices, tickedSlices: ['1.0', '1.2'] }, '1.0', false), ['1.2']);
  assert.equal(nextUnticked({ slices, tickedSlices: ['1.1'] }, '1.0'), '1.2');
  assert.equal(nextUnticked({ slices, tickedSlices: ['1.2'] }, '1.1'), '1.0');
  assert.equal(nextUnticked({ slices, tickedSlices: allSlices }, '1.1'), null);
});

test('an unchanged mask can only be accepted, a changed one only be submitted', () => {
  const unchanged = { allSlices, editedSlices: [], tickedSlices: [] };
  assert.deepEqual(approve(unchanged), { kind: 'accepted', approvedSlices: allSlices });
  assert.deepEqual(approve({ ...unchanged, tickedSlices: ['1.2'] }), {
    kind: 'accepted',
    approvedSlices: ['1.2'],
  });
  assert.deepEqual(approve({ ...unchanged, editedSlices: ['1.2'] }), { kind: 'edited', approvedSlices: ['1.2'] });
});

test('a retry of the same content keeps its key, other content gets a fresh one', () => {
  let keys = 0;
  const createKey = () => `key-${++keys}`;
  const first = keyEnvelope(Uint8Array.of(1, 2), null, createKey);
  const retry = keyEnvelope(Uint8Array.of(1, 2), first, createKey);
  const edited = keyEnvelope(Uint8Array.of(1, 3), retry, createKey);
  assert.deepEqual([first.key, retry.key, edited.key], ['key-1', 'key-1', 'key-2']);
});

test('what a slice of a stack stands for depends neither on their order nor on the tilt of a gantry', () => {
  const [row = [], column = []] = [
    [1, 0, 0],
    [0, 0.8, -0.6],
  ];
  // Along the normal the step is 5 mm.
  const at = (k: number, shift = 0) => [10, -5 + 3 * k + 0.8 * shift * k, 4 * k - 0.6 * shift * k];
  const measure = (places: readonly number[], shift: number) =>
    measureSteps(
      places.map((k) => at(k, shift)),
      row,
      column,
    ).map((mm) => Number(mm.toFixed(9)));
  for (const shift of [0, 1.3]) {
    for (const order of [
      [0, 1, 2, 3],
      [2, 0, 3, 1],
      [1, 3, 0, 2],
    ])
      assert.deepEqual(measure(order, shift), [5, 5, 5, 5]);
    assert.deepEqual(measure([0, 1, 2, 4, 6], shift), [5, 5, 7.5, 10, 7.5]);
    assert.deepEqual(measure([6, 1, 0, 4, 2], shift), [7.5, 5, 5, 10, 7.5]);
  }
  assert.deepEqual(measureSteps([at(0)], row, column), []);
});

test('millilitres are those of each slice', () => {
  const [model, reader] = [mask([1, 0], [0, 0]), mask([0, 0], [2, 2])];
  const { addedMl, removedMl, mlBySegment } = compareMasks(model, reader, [0.5, 2]);
  assert.deepEqual([addedMl, removedMl, [...mlBySegment]], [4, 0.5, [[2, 4]]]);
});

test('the frame of an image id is found in both of its forms', () => {
  assert.equal(frameOf('wadors:http://pacs/studies/1/series/2/instances/3/frames/12'), 12);
  assert.equal(frameOf('dicomweb:http://pacs/wado?objectUID=3&frame=7'), 7);
  assert.equal(frameOf('wadouri:http://pacs/file.dcm'), 1);
});
