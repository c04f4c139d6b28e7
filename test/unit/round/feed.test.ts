import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { hasForeground } from '../../../server/src/round/draw.ts';
import { feedOf } from '../../../server/src/round/feed.ts';
import type { LabelledVolume } from '../../../server/src/round/labelled-volume.ts';
import { cutWindow } from '../../../server/src/student/windows.ts';
import type { LabelledSlice } from '../../../server/src/uncol/feed.ts';
import { createGeometry, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { card, organ, volumeCard } from '../student/phantom.ts';

const side = 16;
const voxels = side ** 3;
const segments = [{ ...organ, colour: [0, 0, 0], largestComponent: true, minVolumeMl: 0 }] as const;
const feed = feedOf({
  input: { ...volumeCard.input, windowVoxels: [side, side, side] },
  segments: [...segments],
} as never);
const portion = { count: 10, foregroundShare: 0.8 };

/** A box of bright labelled tissue, on the left of a dim body, in air; all of it vouched for. */
function body(size: Vec3 = [40, 36, 30]): LabelledVolume {
  const [columns, rows, slices] = size;
  const grid = createGeometry({
    ...{ size, spacingMm: [2, 2, 2], origin: [0, 0, 0] },
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  });
  const image = new Float32Array(columns * rows * slices);
  const label = new Uint8Array(image.length);
  for (let n = 0; n < image.length; n++) {
    const [i, j, k] = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
    if (i < 4 || j < 4 || k < 4) continue;
    label[n] = i < 9 && j < 12 && k < 12 ? 1 : 0;
    image[n] = label[n] ? 0.9 : 0.4;
  }
  return { grid, image, label, known: new Uint8Array(image.length).fill(1) };
}

const isBrightWhereLabelled = ({ image, label }: LabelledSlice) =>
  image.every((value, n) => value > 0.65 === (label[n] === 1));

test('windows show what the volume shows, most of them the foreground, each place once', () => {
  const volume = body();
  const { pieces, judged } = feed.draw(volume, portion, new Random(1));
  assert.equal(judged, volume, 'a 3D student is measured on the whole volume');
  assert.equal(pieces.length, 10);
  assert.ok(pieces.filter(hasForeground).length >= 8);
  assert.ok(pieces.every(isBrightWhereLabelled));
  assert.ok(pieces.every(({ image, known }) => image.length === voxels && known.every((one) => one === 1)));
  const texts = new Set(
    pieces.map(({ label, image }) => Buffer.concat([label, new Uint8Array(image.buffer)]).toString()),
  );
  assert.equal(texts.size, 10);
  assert.deepEqual(feed.draw(volume, portion, new Random(1)).pieces, pieces, 'drawn by seed');
});

test('a volume smaller than the window gives one, mirrored in its faces as the network will see it', () => {
  const volume = body([14, 13, 12]);
  const { pieces } = feed.draw(volume, portion, new Random(1));
  const expected = new Float32Array(voxels);
  cutWindow(volume.image, volume.grid.size, [-1, -2, -2], [side, side, side], expected);
  assert.deepEqual(
    pieces.map(({ image }) => image),
    [expected],
  );
  assert.ok(pieces.every(isBrightWhereLabelled));
});

test('air gives no window', () => {
  const volume = body();
  const air = { ...volume, image: volume.image.map(() => 0.05), label: new Uint8Array(volume.label.length) };
  assert.deepEqual(feed.draw(air, portion, new Random(1)).pieces, []);
});

test('a correction teaches windows about its approved slices, and nothing is known beside them', async () => {
  const volume = body();
  const [columns, rows] = volume.grid.size;
  const isApproved = (n: number) => [8, 9].includes(Math.floor(n / (columns * rows)));
  const corrected = { ...volume, known: volume.known.map((_, n) => (isApproved(n) ? 1 : 0)) };
  const { pieces } = feed.drawCorrected(corrected, 1, new Random(2));
  assert.ok(pieces.length >= 8 && pieces.some(hasForeground));
  assert.equal(feed.drawCorrected(corrected, 100, new Random(2)).pieces.length, 2, 'of each of many less');
  for (const { known } of pieces) {
    const knownSlices = Array.from({ length: side }, (_, k) => known.subarray(k * side * side, (k + 1) * side * side));
    assert.ok(knownSlices.every((slice) => slice.every((one) => one === slice[0])));
    assert.equal(knownSlices.filter((slice) => slice[0] === 1).length, 2);
  }
  assert.ok(feed.isOpen(corrected) && !feed.isOpen(volume));
  const found: number[] = [];
  const find = async ({ image }: { readonly image: Float32Array }) => {
    found.push(image.length);
    return volume.label;
  };
  const open = await feed.drawOpen(corrected, find, 6, new Random(3));
  assert.equal(open.length, 6);
  assert.deepEqual(found, [volume.image.length]);
  assert.ok(
    open.filter((image) => image.some((value) => value > 0.65)).length >= 3,
    'half of them show what was found',
  );
});

test('a window is mirrored left to right half of the time, unless a segment is of one side', () => {
  const [piece] = feed.draw(body(), portion, new Random(4)).pieces;
  assert.ok(piece);
  const row = (values: ArrayLike<number>, of: number) => Array.from({ length: side }, (_, i) => values[of * side + i]);
  const isMirrored = (label: Uint8Array) => {
    const isPlain = label.every((one, n) => one === piece.label[n]);
    const rows = Array.from({ length: side * side }, (_, of) => of);
    const isTurned = rows.every((of) =>
      row(label, of)
        .toReversed()
        .every((one, i) => one === row(piece.label, of)[i]),
    );
    assert.ok(isPlain !== isTurned);
    return isTurned;
  };
  const count = (of: typeof feed) =>
    Array.from({ length: 40 }, (_, seed) => of.augment(piece, new Random(seed))).filter(({ image, label, known }) => {
      assert.ok(image.every((value) => value >= 0 && value <= 1));
      assert.ok(known.every((one) => one === 1));
      const mean = (wanted: number) => {
        const values = image.filter((_, n) => label[n] === wanted);
        return values.reduce((sum, value) => sum + value, 0) / values.length;
      };
      assert.ok(mean(1) > mean(0) + 0.2, 'the label moves with the image');
      return isMirrored(label);
    }).length;
  const mirrored = count(feed);
  assert.ok(mirrored > 10 && mirrored < 30, `${mirrored} of 40`);
  const [segment] = segments;
  const sided = { input: { ...volumeCard.input, windowVoxels: [side, side, side] } };
  const left = feedOf({ ...sided, segments: [{ ...segment, label: 'Left kidney' }] } as never);
  assert.equal(count(left), 0);
  assert.deepEqual([feed.method, left.method], [{}, { sliceGate: 0 }]);
});

test('a 2D student learns from slices and is measured on the same', () => {
  const slices = feedOf({ input: { ...card.input, sizePx: [48, 32] }, segments: [...segments] } as never);
  const volume = body([48, 32, 24]);
  const { pieces, judged } = slices.draw(volume, portion, new Random(1));
  assert.deepEqual(slices.space, [32, 48]);
  assert.deepEqual([pieces.length, judged.grid.size], [10, [48, 32, 10]]);
  assert.equal(pieces.filter(hasForeground).length, 8);
  assert.ok(pieces.every(isBrightWhereLabelled));
  const [, , last] = slices.judgedWhole(volume).grid.spacingMm;
  assert.equal(last, 6, 'every third slice of 2 mm');
});
