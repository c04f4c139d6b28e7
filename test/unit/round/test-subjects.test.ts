import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failures } from '../../../server/src/round/failures.ts';
import { describeSpread, spreadBySegment } from '../../../server/src/round/test-subjects.ts';

const segments = [
  { number: 1, label: 'thalamus' },
  { number: 2, label: 'putamen' },
  { number: 3, label: 'hippocampus' },
];
const rows = [
  { subject: 'a', dice: 0, diceBySegment: [0.5, 0.8, null] },
  { subject: 'b', dice: 0, diceBySegment: [0.7, null, null] },
  { subject: 'c', dice: 0, diceBySegment: [0.9, null, null] },
];

test('the spread of a segment is over the subjects that have it', () => {
  const [thalamus, putamen, hippocampus] = spreadBySegment(segments, rows);
  assert.ok(thalamus?.mean && thalamus.sd);
  assert.ok(Math.abs(thalamus.mean - 0.7) < 1e-12 && Math.abs(thalamus.sd - 0.2) < 1e-12);
  assert.deepEqual([thalamus.subjects, thalamus.least, thalamus.most], [3, 0.5, 0.9]);
  assert.deepEqual(putamen, {
    ...{ number: 2, label: 'putamen', subjects: 1, mean: 0.8, sd: null, least: 0.8, most: 0.8 },
  });
  assert.equal(hippocampus?.mean, null);
});

test('the card says the spread in a sentence', () => {
  assert.equal(
    describeSpread(spreadBySegment(segments, rows)),
    'Dice of test subjects: thalamus 0.700 (sd 0.200, 0.500 to 0.900, n = 3); ' +
      'putamen 0.800 (0.800 to 0.800, n = 1); hippocampus: in no subject.',
  );
});

/** Three slices of four pixels; the third one has the most that truth and mask do not share. */
const label = Uint8Array.of(1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0);
const labels = Uint8Array.of(1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2);
const volume = {
  grid: {
    ...({ size: [4, 1, 3], spacingMm: [2, 2, 2], origin: [0, 0, 0] } as const),
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  } as const,
  image: Float32Array.from({ length: 12 }, (_, n) => n / 10),
  label,
  known: new Uint8Array(12).fill(1),
};

test('of each segment the three subjects with the lowest Dice are kept, the worst first, on their worst slice', () => {
  const failures = new Failures();
  for (const [subject, dice] of [
    ['a', 0.9],
    ['b', 0.5],
    ['c', 0.7],
    ['d', 0.6],
    ['e', 0.7],
  ] as const)
    failures.see(subject, 1, dice, volume, labels);
  failures.see('a', 2, 0, volume, labels);
  assert.deepEqual(
    failures.worst.map(({ subject, segment }) => `${subject}${segment}`),
    ['b1', 'd1', 'c1', 'a2'],
  );
  const [first] = failures.worst;
  assert.deepEqual([first?.slice, first?.columns, first?.image.length], [2, 4, 4]);
  assert.ok(Math.abs((first?.image[0] ?? 0) - 0.8) < 1e-6);
  assert.deepEqual([...(first?.truth ?? [])], [1, 1, 0, 0]);
  assert.deepEqual([...(first?.mask ?? [])], [0, 0, 1, 0]);
});
