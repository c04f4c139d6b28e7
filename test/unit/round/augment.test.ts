import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { augment, noWarping } from '../../../server/src/round/augment.ts';

const size = 48;
/** An off-centre ellipse, bright where it is labelled. */
const label = Uint8Array.from({ length: size * size }, (_, i) => {
  const x = (i % size) - 30;
  const y = Math.floor(i / size) - 20;
  return (x / 9) ** 2 + (y / 5) ** 2 < 1 ? 1 : 0;
});
const slice = {
  image: Float32Array.from(label, (one) => one * 0.5),
  label,
  known: new Uint8Array(size * size).fill(1),
};

function overlap(image: Float32Array, truth: Uint8Array): number {
  let both = 0;
  let either = 0;
  for (const [i, one] of truth.entries()) {
    const bright = (image[i] ?? 0) > 0.2 ? 1 : 0;
    both += bright & one;
    either += bright + one;
  }
  return (2 * both) / either;
}

test('label and known move with the image, warped or not', () => {
  for (let seed = 0; seed < 20; seed++) {
    const plain = augment(slice, size, new Random(seed));
    assert.equal(overlap(plain.image, plain.label), 1, `seed ${seed}`);
    const warped = augment(slice, size, new Random(seed), { rotationDegrees: 15, scaleSd: 0.1 });
    assert.ok(overlap(warped.image, warped.label) > 0.9, `seed ${seed}`);
  }
});

test('what comes in from outside is not known, and nothing leaves 0..1', () => {
  let unknown = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { image, known } = augment({ ...slice, image: slice.image.map(() => 1) }, size, new Random(seed));
    unknown += known.filter((one) => one === 0).length;
    assert.ok(image.every((value, i) => value >= 0 && value <= 1 && (known[i] === 1 || value === 0)));
  }
  assert.ok(unknown > 0);
});

test('no warping draws nothing more: the same stream gives the same slice', () => {
  const first = new Random(7);
  const second = new Random(7);
  assert.deepEqual(augment(slice, size, first), augment(slice, size, second, noWarping));
  assert.equal(first.state, second.state);
});
