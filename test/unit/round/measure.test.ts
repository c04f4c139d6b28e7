import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Engine } from '../../../server/src/engine/ops.ts';
import { type LabelledVolume, slicesOf, stackSlices } from '../../../server/src/round/labelled-volume.ts';
import { Measure, type MeasuredCard } from '../../../server/src/round/measure.ts';
import type { LabelledSlice } from '../../../server/src/uncol/feed.ts';

const side = 16;
const pixels = side * side;
const weights = new Float32Array(1);

function cardWith(rule: { largestComponent: boolean; minVolumeMl: number }): MeasuredCard {
  return {
    input: {
      plane: 'axial',
      spacingMm: [2, 2, 2],
      sizePx: [side, side],
      intensity: { lowPercentile: 1, highPercentile: 99 },
    },
    architecture: { network: 'prob-unet-2d', variant: 'lite', classes: 2 },
    segments: [{ number: 1, ...rule }],
  };
}

/** A student that calls foreground what is brighter than one half. */
const thresholding = {
  async predictor() {
    return {
      table: { hash: 'h' },
      async run(_: Float32Array, { image }: { image: Float32Array }) {
        const n = image.length / pixels;
        const probabilities = new Float32Array(n * 2 * pixels);
        for (let slice = 0; slice < n; slice++) {
          for (let i = 0; i < pixels; i++) {
            const p = image[slice * pixels + i] ?? 0;
            probabilities[slice * 2 * pixels + i] = 1 - p;
            probabilities[(slice * 2 + 1) * pixels + i] = p;
          }
        }
        return { probabilities, entropy: new Float32Array(image.length) };
      },
      async dispose() {},
    };
  },
} as unknown as Engine;

/** 12 slices, more than one run of the network: a block of 4 pixels in all of them, and 2 stray pixels in one. */
function subject(every = 1): LabelledVolume {
  const slices = Array.from({ length: 12 }, (_, k) => {
    const image = new Float32Array(pixels).fill(0.3);
    const label = new Uint8Array(pixels);
    for (const i of [34, 35, 50, 51]) {
      image[i] = 0.9;
      label[i] = 1;
    }
    if (k === 10) image.fill(0.9, 200, 202);
    return { image, label, known: new Uint8Array(pixels).fill(1) };
  });
  return stack(slices, every);
}

function stack(slices: readonly LabelledSlice[], every = 1): LabelledVolume {
  return stackSlices(slices, { size: [side, side, 0], spacingMm: [2, 2, 2 * every] });
}

test('the network is measured as it answers, the served mask by the rules of the card', async () => {
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: true, minVolumeMl: 0 }));
  const stray = (2 * 48) / (48 + 48 + 2);
  assert.equal(await measure.dice(weights, subject()), stray);
  assert.equal(await measure.servedDice(weights, subject()), 1);
});

test('a slice stands for the slices that were left out beside it', async () => {
  // Two pixels of 8 cubic millimetres are 0.016 ml; as one of every four slices they are 0.064 ml.
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: false, minVolumeMl: 0.05 }));
  assert.equal(await measure.servedDice(weights, subject()), 1);
  assert.notEqual(await measure.servedDice(weights, subject(4)), 1);
});

test('what nobody vouched for does not count', async () => {
  const volume = subject();
  slicesOf(volume)[10]?.known.fill(0, 200, 202);
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: false, minVolumeMl: 0 }));
  assert.equal(await measure.dice(weights, volume), 1);
});

test('nothing wanted and nothing found is right, anything found then is wrong', async () => {
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: false, minVolumeMl: 0 }));
  const empty = { ...subject(), label: new Uint8Array(12 * pixels) };
  assert.equal(await measure.dice(weights, empty), 0);
  const dark = { ...empty, image: new Float32Array(12 * pixels).fill(0.3) };
  assert.equal(await measure.dice(weights, dark), 1);
  assert.ok(await measure.find(weights, subject()).then((labels) => labels.includes(1)));
});

test('air is background, whatever the network would say of its noise', async () => {
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: false, minVolumeMl: 0 }));
  const [first, second] = slicesOf(subject());
  assert.ok(first && second);
  const speck = { ...first, image: new Float32Array(pixels) };
  speck.image[40] = 0.9;
  const found = await measure.find(weights, stack([first, speck, second]));
  const isFound = [0, 1, 2].map((k) => found.subarray(k * pixels, (k + 1) * pixels).includes(1));
  assert.deepEqual(isFound, [true, false, true]);
});

test('what is served can be looked at: the mask and what it shares with the truth', async () => {
  const measure = await Measure.create(thresholding, cardWith({ largestComponent: false, minVolumeMl: 0 }));
  const { labels, overlaps } = await measure.serve(weights, subject());
  assert.deepEqual(overlaps, [{ a: 50, b: 48, both: 48 }]);
  assert.equal(labels.filter((label) => label === 1).length, 50);
  assert.equal(labels[10 * pixels + 200], 1);
});
