import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSubmission, type KeyedLabels, type Submission } from '../../../server/src/correction/submission.ts';
import { AppError, type ErrorDetail } from '../../../server/src/errors/app-error.ts';

const prediction: KeyedLabels = {
  columns: 2,
  rows: 1,
  slices: ['1.1', '1.2', '1.3'],
  labels: Uint8Array.of(0, 1, 1, 0, 0, 0),
};
const untouched: Submission = { ...prediction, kind: 'accepted', approvedSlices: ['1.1', '1.2', '1.3'] };

const refused = (submission: Submission, code: string): ErrorDetail => {
  try {
    checkSubmission(submission, prediction, 1);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, code);
    return error.detail;
  }
  return assert.fail('it was taken');
};

test('an untouched mask is accepted with Dice 1 and no changed voxel', () => {
  assert.deepEqual(checkSubmission(untouched, prediction, 1), {
    approvedSlices: ['1.1', '1.2', '1.3'],
    changedVoxels: 0,
    dice: 1,
    diceBySegment: [1],
  });
});

test('slices are matched by UID, never by position', () => {
  const turned: Submission = {
    ...untouched,
    slices: ['1.3', '1.2', '1.1'],
    labels: Uint8Array.of(0, 0, 1, 0, 0, 1),
  };
  assert.equal(checkSubmission(turned, prediction, 1).changedVoxels, 0);
});

test('an edit is counted in voxels and Dice', () => {
  const edited: Submission = {
    ...untouched,
    kind: 'edited',
    approvedSlices: ['1.2'],
    labels: Uint8Array.of(0, 1, 1, 1, 0, 0),
  };
  const { changedVoxels, dice, approvedSlices } = checkSubmission(edited, prediction, 1);
  assert.deepEqual({ changedVoxels, dice, approvedSlices }, { changedVoxels: 1, dice: 0.8, approvedSlices: ['1.2'] });
});

test('each segment is compared on the slices vouched for, and where nobody shows it there is no number', () => {
  const two: KeyedLabels = { ...prediction, labels: Uint8Array.of(1, 1, 2, 0, 1, 1) };
  const edited: Submission = {
    ...two,
    kind: 'edited',
    approvedSlices: ['1.1', '1.2'],
    labels: Uint8Array.of(1, 1, 2, 2, 0, 0),
  };
  assert.deepEqual(checkSubmission(edited, two, 3).diceBySegment, [1, 2 / 3, null]);
});

test('everything erased is a correction with Dice 0', () => {
  const edited: Submission = { ...untouched, kind: 'edited', labels: new Uint8Array(6) };
  assert.equal(checkSubmission(edited, prediction, 1).dice, 0);
});

test('another geometry is refused with the sizes seen', () => {
  assert.equal(refused({ ...untouched, rows: 2, columns: 1 }, 'correction-geometry-mismatch')['rows'], 2);
  refused({ ...untouched, slices: ['1.1', '1.2'] }, 'correction-geometry-mismatch');
  refused({ ...untouched, slices: ['1.1', '1.2', '9.9'] }, 'correction-geometry-mismatch');
  refused({ ...untouched, slices: ['1.1', '1.2', '1.2'] }, 'correction-geometry-mismatch');
  refused({ ...untouched, labels: new Uint8Array(5) }, 'correction-geometry-mismatch');
});

test('an unknown segment is refused by number', () => {
  const edited: Submission = { ...untouched, kind: 'edited', labels: Uint8Array.of(0, 2, 0, 0, 0, 0) };
  assert.equal(refused(edited, 'correction-segment-unknown')['segment'], 2);
});

test('vouching for nothing or for a foreign slice is refused', () => {
  refused({ ...untouched, kind: 'edited', approvedSlices: [] }, 'correction-empty-approval');
  refused({ ...untouched, kind: 'edited', approvedSlices: ['1.1', '9.9'] }, 'correction-empty-approval');
});

test('an untouched mask may be accepted on some slices alone', () => {
  const { approvedSlices, diceBySegment } = checkSubmission({ ...untouched, approvedSlices: ['1.2'] }, prediction, 1);
  assert.deepEqual({ approvedSlices, diceBySegment }, { approvedSlices: ['1.2'], diceBySegment: [1] });
});

test('accepted with a change is refused', () => {
  refused({ ...untouched, labels: Uint8Array.of(1, 1, 1, 0, 0, 0) }, 'request-invalid');
});
