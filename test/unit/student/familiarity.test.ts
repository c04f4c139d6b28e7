import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { familiarOf, looksOf } from '../../../server/src/round/data/looks.ts';
import { describeFamiliar, imageTraits, strangeness, traitNames } from '../../../server/src/student/familiarity.ts';
import { prepareSlices } from '../../../server/src/student/prepare.ts';
import { segmentVolume } from '../../../server/src/student/segment.ts';
import type { Vec3 } from '../../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';
import { card, idealPredict, scene } from './phantom.ts';

const grid = centredGrid([48, 48, 40], [2, 2, 2], axialDirection);

/** A rough ball of two shades, no two alike; or one without any texture. */
function ball(seed: number, isSmooth = false): Volume {
  const random = Random.for(seed, 'ball');
  const radius = random.uniform(26, 34);
  const shade = random.uniform(500, 700);
  const noise = isSmooth ? 0 : random.uniform(30, 60);
  const value = (p: Vec3) => {
    if (Math.hypot(...p) > radius) return 20 + 10 * random.normal();
    return (p[0] > 5 ? shade : 900) + noise * random.normal();
  };
  return createVolume(scene(grid, value), grid);
}

const balls = Array.from({ length: 60 }, (_, seed) => ball(seed));
const looks = balls.flatMap((volume, n) => looksOf(prepareSlices(volume, card.input), Random.for(n, 'part')));
const familiar = describeFamiliar(looks);
const distanceOf = (volume: Volume) =>
  strangeness(imageTraits(prepareSlices(volume, card.input)) ?? assert.fail('it shows nothing'), familiar);

test('one more of the kind is familiar, and what only has its outline is not', () => {
  const [own, smooth] = [distanceOf(ball(1000)), distanceOf(ball(1001, true))];
  assert.ok(own < familiar.most, `${own} of ${familiar.most}`);
  assert.ok(smooth > familiar.most, `${smooth} of ${familiar.most}`);
});

test('the mask of a strange image is not to be relied on, however sure the network is', async () => {
  const knowing = { ...card, familiar };
  const usual = await segmentVolume(ball(1000), knowing, idealPredict, { batch: 8 });
  const strange = await segmentVolume(ball(1001, true), knowing, idealPredict, { batch: 8 });
  assert.ok(usual.uncertainty < 0.5);
  assert.equal(usual.uncertainty, usual.meanEntropy);
  assert.equal(strange.uncertainty, 1);
  assert.ok(strange.meanEntropy < 0.5);
  assert.equal((await segmentVolume(ball(1001, true), card, idealPredict, { batch: 8 })).strangeness, null);
});

test('air has no traits', () => {
  const air = { grid, image: new Float32Array(48 * 48 * 40).fill(0.1) };
  assert.equal(imageTraits(air), null);
});

test('the distance is that of Mahalanobis: its square is the number of traits in the mean', () => {
  const random = new Random(5);
  // Correlated, on scales of their own.
  const draws = Array.from({ length: 4000 }, () => {
    const shared = random.normal();
    return traitNames.map((_, t) => 10 * t + 2 ** (t % 5) * (random.normal() + (t % 3 === 0 ? shared : 0)));
  });
  const shape = describeFamiliar(draws);
  const mean = draws.reduce((sum, draw) => sum + strangeness(draw, shape) ** 2, 0) / draws.length;
  assert.ok(Math.abs(mean - traitNames.length) < 0.05 * traitNames.length, `${mean}`);
  const beyond = draws.filter((draw) => strangeness(draw, shape) > shape.most).length;
  assert.ok(beyond < 0.01 * draws.length);
});

test('too few images are refused', () => {
  assert.throws(() => describeFamiliar(looks.slice(0, 20)), /20 images are too few/);
});

test('a card says nothing where the images are too few to tell', () => {
  assert.deepEqual(Object.keys(familiarOf(looks.slice(0, 59))), []);
  assert.deepEqual(familiarOf(looks), { familiar });
});
