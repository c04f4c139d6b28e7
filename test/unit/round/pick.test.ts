import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { picker } from '../../../server/src/round/pick.ts';

const piece = (name: string, label: readonly number[], known = label.map(() => 1)) => ({
  name,
  image: new Float32Array(label.length),
  label: Uint8Array.from(label),
  known: Uint8Array.from(known),
});
const nameOf = (one: object) => Reflect.get(one, 'name');
const rare = piece('rare', [0, 2, 0]);
const pool = [
  ...Array.from({ length: 18 }, (_, n) => piece(`common ${n}`, [1, 1, 0])),
  piece('empty', [0, 0, 0]),
  rare,
];
const draws = 4000;

function shareOf(name: string, drawsByClass: boolean, from: typeof pool = pool): number {
  const pick = picker(from, { drawsByClass }, [3]);
  const random = new Random(3);
  return Array.from({ length: draws }, () => pick(random)).filter((one) => nameOf(one) === name).length / draws;
}

test('by class, a class that one slice in twenty shows is drawn as often as the others, and nothing is left out', () => {
  assert.ok(Math.abs(shareOf('rare', false) - 1 / 20) < 0.015);
  // Half of the draws by class, half of those for either class; the rest as above.
  assert.ok(Math.abs(shareOf('rare', true) - (1 / 4 + 1 / 40)) < 0.025);
  assert.ok(shareOf('empty', true) > 0);
});

test('what nobody vouched for does not count, and a pool without foreground is drawn from as it is', () => {
  const unknown = piece('unknown', [0, 3, 0], [1, 0, 1]);
  assert.ok(Math.abs(shareOf('unknown', true, [...pool, unknown]) - 1 / 42) < 0.015);
  assert.ok(Math.abs(shareOf('a', true, [piece('a', [0]), piece('b', [0])]) - 1 / 2) < 0.03);
});

test('pictures of nothing are a share of what is drawn, and empty', () => {
  const pick = picker(pool, { sceneShare: 0.25 }, [16, 16]);
  const random = new Random(4);
  const scenes = Array.from({ length: 800 }, () => pick(random)).filter((one) => nameOf(one) === undefined);
  assert.ok(Math.abs(scenes.length / 800 - 1 / 4) < 0.05);
  for (const { image, label, known } of scenes) {
    assert.equal(image.length, 256);
    assert.ok(label.every((value) => value === 0) && known.every((value) => value === 1));
  }
});
