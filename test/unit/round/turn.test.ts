import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { rehearse } from '../../../server/src/round/exam.ts';
import { drawTurn, turn, undo } from '../../../server/src/round/turn.ts';

const width = 48;

/** A disc of 1 off the middle. */
function disc(row: number, column: number, radius: number): Float32Array {
  return Float32Array.from({ length: width * width }, (_, at) =>
    Math.hypot(Math.floor(at / width) - row, (at % width) - column) <= radius ? 1 : 0,
  );
}

function dice(a: Float32Array, b: Float32Array): number {
  let both = 0;
  let sum = 0;
  for (const [at, value] of a.entries()) {
    sum += Number(value > 0.5) + Number((b[at] ?? 0) > 0.5);
    if (value > 0.5 && (b[at] ?? 0) > 0.5) both += 1;
  }
  return (2 * both) / sum;
}

test('a turn moves a slice and its undoing brings it back', () => {
  const image = disc(16, 30, 6);
  const quarter = turn(image, width, { degrees: 90, scale: 1 });
  // 90 degrees: row -7.5 and column 6.5 from the middle become row 6.5, column 7.5, or the opposite side.
  assert.ok(Math.max(dice(quarter, disc(30, 31, 6)), dice(quarter, disc(17, 16, 6))) > 0.97);
  const random = new Random(5);
  for (let n = 0; n < 20; n++) {
    const there = drawTurn(random);
    assert.ok(Math.abs(there.degrees) <= 15 && there.scale >= 0.85 && there.scale <= 1.15);
    const back = turn(turn(image, width, there), width, undo(there));
    assert.ok(dice(back, image) > 0.9, `${there.degrees} degrees, scale ${there.scale}`);
  }
  assert.deepEqual(turn(image, width, { degrees: 0, scale: 1 }), image);
});

test('a rehearsed answer lies on the pixels of the slice again', () => {
  const truth = disc(11, 34, 6);
  const image = truth.map((value) => 0.05 + 0.9 * value);
  const label = Uint8Array.from(truth);
  const [exam] = rehearse(
    [{ image, label, known: new Uint8Array(label.length).fill(1) }],
    [label.length / width, width],
    3,
  );
  assert.ok(exam?.restore);
  // A specialized teacher that sees perfectly: what is bright is foreground.
  const bright = exam.seen.map((value) => Number(value > 0.4));
  const answer = new Float32Array(2 * label.length);
  answer.set(
    bright.map((value) => 1 - value),
    0,
  );
  answer.set(bright, label.length);
  const restored = exam.restore(answer);
  assert.ok(dice(bright, truth) < 0.9, 'the slice did not move');
  assert.ok(dice(restored.subarray(label.length), truth) > 0.9);
  for (let at = 0; at < label.length; at++) {
    assert.ok(Math.abs((restored[at] ?? 0) + (restored[label.length + at] ?? 0) - 1) < 1e-6);
  }
});
