import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { applyWindow, findIntensityWindow } from '../../../server/src/volume/intensity.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { axialDirection, centredGrid } from './grids.ts';

const rule = { lowPercentile: 1, highPercentile: 99 };
const columns = 32;

/** Noisy tissue of mean 100, sd 20. */
function noise(slices: number): Float32Array {
  const random = new Random(3);
  return Float32Array.from({ length: columns * columns * slices }, () => 100 + random.normal(20));
}

function asVolume(data: Volume['data'], padding?: Uint8Array): Volume {
  const slices = data.length / (columns * columns);
  return createVolume(data, centredGrid([columns, columns, slices], [1, 1, 1], axialDirection), padding);
}

/** All values by the window that they give themselves. */
function scale(data: Float32Array): Float32Array {
  const window = findIntensityWindow(asVolume(data), rule);
  return data.map((x) => applyWindow(x, window));
}

/** The lowest value itself never counts, so one rank of thousands may differ. */
function assertSameWindow(a: Volume, b: Volume): void {
  const [x, y] = [findIntensityWindow(a, rule), findIntensityWindow(b, rule)];
  assert.ok(Math.abs(x.low - y.low) < 0.05 && Math.abs(x.high - y.high) < 0.05, JSON.stringify([x, y]));
}

test('a window in HU is taken as it is, whatever the image holds; a constant image has none', () => {
  const rule = { lowHu: -100, highHu: 200 };
  for (const data of [noise(1), noise(2).fill(-1000, 0, 500)]) {
    assert.deepEqual(findIntensityWindow(asVolume(data), rule), { low: -100, high: 200 });
  }
  assert.throws(() => findIntensityWindow(asVolume(new Int16Array(columns * columns)), rule), {
    code: 'series-no-contrast',
  });
});

test('the window is the percentiles of the content', () => {
  const ramp = Float32Array.from({ length: columns * columns * 4 }, (_, n) => (n * 7919) % 4096);
  const { low, high } = findIntensityWindow(asVolume(ramp), { lowPercentile: 10, highPercentile: 90 });
  assert.ok(Math.abs(low - 409.6) < 2, `${low}`);
  assert.ok(Math.abs(high - 3686.4) < 2, `${high}`);
});

test('stored integers of two bytes have the window of the same values as numbers', () => {
  const random = new Random(11);
  const drawn = Array.from({ length: columns * columns * 5 }, () => Math.round(random.normal(900)));
  const rules = [rule, { lowPercentile: 0, highPercentile: 100 }, { lowPercentile: 37, highPercentile: 38 }];
  for (const rule of rules) {
    for (const data of [Int16Array.from(drawn), Uint16Array.from(drawn, (x) => x + 40_000)]) {
      const padding = Uint8Array.from(data, (_, n) => (n % 11 === 0 ? 1 : 0));
      for (const hidden of [undefined, padding])
        assert.deepEqual(
          findIntensityWindow(asVolume(data, hidden), rule),
          findIntensityWindow(asVolume(Float32Array.from(data), hidden), rule),
        );
    }
  }
});

test('scale and offset of the values do not change the result, down to slopes of 1e-8', () => {
  const data = noise(6);
  const expected = scale(data);
  for (const [a, b] of [
    [0.37, -1024.5],
    [1e-8, 0],
    [2.9e5, 12],
  ] as const) {
    const seen = scale(data.map((x) => a * x + b));
    const worst = seen.reduce((most, x, n) => Math.max(most, Math.abs(x - expected[n]!)), 0);
    assert.ok(worst < 1e-4, `${a} x + ${b}: ${worst}`);
  }
});

test('everything comes out between 0 and 1', () => {
  const data = scale(noise(3));
  assert.ok(data.every((x) => x >= 0 && x <= 1));
  assert.ok(data.includes(0) && data.includes(1));
});

test('zero slices at both ends do not move the window', () => {
  const good = noise(6);
  const zeros = new Float32Array(columns * columns * 20);
  const padded = Float32Array.from([...zeros, ...good, ...zeros]);
  assertSameWindow(asVolume(padded), asVolume(good));
});

test('zero slices in the middle of the value range do not move the window either', () => {
  const good = noise(6).map((x) => x - 100);
  const padded = Float32Array.from([...new Float32Array(columns * columns * 20), ...good]);
  assertSameWindow(asVolume(padded), asVolume(good));
});

test('padding does not count', () => {
  const good = noise(6);
  const padding = new Uint8Array(good.length).map((_, n) => (n % 5 === 0 ? 1 : 0));
  const marked = good.map((x, n) => (padding[n] === 1 ? -2000 + (n % 3) : x));
  const inside = findIntensityWindow(asVolume(good), rule);
  const window = findIntensityWindow(asVolume(marked, padding), rule);
  assert.ok(Math.abs(window.low - inside.low) < 2 && Math.abs(window.high - inside.high) < 2);
});

test('a constant volume is refused by name, with the value seen', () => {
  const refused = (error: unknown) => error instanceof AppError && error.code === 'series-no-contrast';
  assert.throws(() => findIntensityWindow(asVolume(new Int16Array(columns * columns * 2).fill(7)), rule), refused);
  const onlyPadding = new Uint8Array(columns * columns).fill(1);
  assert.throws(() => findIntensityWindow(asVolume(noise(1), onlyPadding), rule), refused);
  assert.throws(
    () => findIntensityWindow(asVolume(new Float32Array(columns * columns).fill(Number.NaN)), rule),
    refused,
  );
});

test('one bright voxel in a constant volume, and a drawing of two values, still get a window', () => {
  const single = new Int16Array(columns * columns * 2);
  single[700] = 4000;
  assert.deepEqual(findIntensityWindow(asVolume(single), rule), { low: 0, high: 4000 });
  const drawing = new Uint8Array(columns * columns * 2).map((_, n) => (n % columns > 10 ? 3 : 1));
  assert.deepEqual(findIntensityWindow(asVolume(drawing), rule), { low: 1, high: 3 });
});

test('values that are not numbers become 0 and move nothing', () => {
  const good = noise(4);
  const broken = good.map((x, n) => (n % 101 === 0 ? [Number.NaN, Number.POSITIVE_INFINITY, 0][n % 3]! : x));
  const data = scale(broken);
  assert.ok(data.every(Number.isFinite));
  const a = findIntensityWindow(asVolume(broken), rule);
  const b = findIntensityWindow(asVolume(good), rule);
  assert.ok(Math.abs(a.low - b.low) < 2 && Math.abs(a.high - b.high) < 2);
});
