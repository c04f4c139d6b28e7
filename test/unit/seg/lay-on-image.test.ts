import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOnImage } from '../../../server/src/seg/lay-on-image.ts';
import { placeSegments } from '../../../server/src/seg/place.ts';
import { readSeg } from '../../../server/src/seg/read.ts';
import { writeSeg } from '../../../server/src/seg/write.ts';
import { type Geometry, indexToPatient, subGrid, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { leanBy, randomSegRequest } from '../../fixtures/seg-request.ts';
import { tiny } from '../../fixtures/tiny-seg.ts';

const classes = new Map([
  [1, 1],
  [2, 2],
  [3, 3],
]);
const request = randomSegRequest(31, [24, 20, 9]);
const { geometry, data } = request.labelmap;
const seg = readSeg(writeSeg(request).bytes);
const lay = (image: Geometry, resample = false, of = seg) =>
  layOnImage(of, { classes, image, maxVoxels: 1e6, resample });
const grown = (g: Geometry, factor: number): Geometry => ({
  ...g,
  spacingMm: [g.spacingMm[0] * factor, g.spacingMm[1] * factor, g.spacingMm[2]],
});
const shifted = (index: Vec3): Geometry => ({ ...geometry, origin: indexToPatient(geometry, index) });

test('on the same grid a SEG stays as it is, upright, oblique and leaning', () => {
  assert.deepEqual(lay(geometry).labels, data);
  assert.deepEqual([lay(geometry).resampled, lay(geometry).notes], [false, []]);
  const leaning = leanBy(geometry, -17);
  const tilted = readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, geometry: leaning } }).bytes);
  assert.deepEqual(lay(leaning, false, tilted).labels, data);
});

test('spacing that was written with fewer digits is the same grid (S7)', () => {
  const wide = randomSegRequest(32, [512, 6, 3]);
  const spaced = (mm: number): Geometry => ({ ...wide.labelmap.geometry, spacingMm: [mm, mm, 3] });
  const { bytes } = writeSeg({ ...wide, labelmap: { ...wide.labelmap, geometry: spaced(0.976562) } });
  assert.deepEqual(lay(spaced(0.9765625), false, readSeg(bytes)).labels, wide.labelmap.data);
  refusesAtOnce(
    () => lay(spaced(0.977), false, readSeg(bytes)),
    'import-grid-differs',
    /0\.9766 mm apart .* 0\.977 mm/,
  );
});

test('on uneven slices a SEG stays as it is where gaps are whole multiples, and frames beyond them are refused', () => {
  const uneven: Geometry = { ...geometry, sliceSteps: [0, 1, 2, 3, 5, 7, 9, 11, 13] };
  const of = readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, geometry: uneven } }).bytes);
  assert.deepEqual(lay(uneven, false, of).labels, data);
  const fewer = { ...subGrid(geometry, [0, 0, 0], [24, 20, 5]), sliceSteps: [0, 1, 2, 3, 5] };
  refusesAtOnce(() => lay(fewer, true, of), 'import-grid-differs', /beyond the outer slices/);
});

test('on uneven slices of any gaps a SEG stays as it is, upright, leaning, cropped, sparse and from the other side', () => {
  const steps = [0, 1, 2.37, 3.37, 4.9, 5.9, 7.35, 8.36, 9.8];
  for (const straight of [geometry, leanBy(geometry, 14)]) {
    const uneven: Geometry = { ...straight, sliceSteps: steps };
    const write = (part: Partial<typeof request.labelmap>) =>
      readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, geometry: uneven, ...part } }).bytes);
    assert.deepEqual(lay(uneven, false, write({})).labels, data);
    const placed = placeSegments(write({}), { classes, image: uneven, maxVoxels: 1e6 });
    assert.deepEqual(placed, data, 'as truth');
    const sparse = data.map((label, n) => ([0, 2, 6].includes(Math.floor(n / 480)) ? label : 0));
    const { labels, shown, resampled } = lay(uneven, false, write({ data: sparse }));
    assert.deepEqual([labels, [...shown].sort(), resampled], [sparse, [0, 2, 6], false]);
    const fromBehind: Geometry = {
      ...uneven,
      origin: indexToPatient(uneven, [0, 0, 8]),
      direction: [uneven.direction[0], uneven.direction[1], uneven.direction[2].map((x) => -x) as unknown as Vec3],
      sliceSteps: steps.map((step) => 9.8 - step).reverse(),
    };
    const reversed = data.map((_, n) => data[(8 - Math.floor(n / 480)) * 480 + (n % 480)] ?? 0);
    assert.deepEqual(lay(fromBehind, false, write({})).labels, reversed);
    const inner = subGrid(uneven, [3, 4, 0], [15, 11, 9]);
    const cropped = Uint8Array.from({ length: 15 * 11 * 9 }, (_, n) => {
      const [i, j, k] = [n % 15, Math.floor(n / 15) % 11, Math.floor(n / 165)];
      return data[k * 480 + (j + 4) * 24 + i + 3] ?? 0;
    });
    const wide = lay(uneven, false, write({ geometry: inner, data: cropped })).labels;
    assert.ok(wide.every((label, n) => label === 0 || label === data[n]));
    assert.equal(wide.filter((label) => label > 0).length, cropped.filter((label) => label > 0).length);
  }
});

test('frames between uneven slices are refused with how far, or carried over where they are a stack of their own', () => {
  const uneven: Geometry = { ...geometry, sliceSteps: [0, 1, 2.5, 3.5, 5, 6, 7.5, 8.5, 10] };
  refusesAtOnce(() => lay(uneven), 'import-grid-differs', /a frame lies 0\.3333 of a slice distance beside/);
  const { resampled, labels } = lay(uneven, true);
  assert.ok(resampled && labels.some((label) => label > 0));
});

test('an image whose axes run the other way shows the same voxels', () => {
  const [columns, rows, slices] = geometry.size;
  const back = (axis: Vec3): Vec3 => [-axis[0], -axis[1], -axis[2]];
  const [u, v, w] = geometry.direction;
  const turned: Geometry = {
    ...geometry,
    origin: indexToPatient(geometry, [columns - 1, rows - 1, slices - 1]),
    direction: [back(u), back(v), back(w)],
  };
  assert.deepEqual([...lay(turned).labels].reverse(), [...data]);
  const swapped: Geometry = {
    size: [rows, columns, slices],
    spacingMm: [geometry.spacingMm[1], geometry.spacingMm[0], geometry.spacingMm[2]],
    origin: geometry.origin,
    direction: [v, u, w],
  };
  const { labels } = lay(swapped);
  for (let n = 0; n < data.length; n++) {
    const [i, j, k] = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
    assert.equal(labels[(k * columns + i) * rows + j], data[n]);
  }
});

test('a sagittal or coronal SEG of an axial series is refused, and by agreement shows the same voxels (S9)', () => {
  for (const [a, b, c] of [
    [1, 2, 0],
    [0, 2, 1],
  ] as const) {
    const { size, spacingMm, direction } = geometry;
    const other: Geometry = {
      ...geometry,
      size: [size[a], size[b], size[c]],
      spacingMm: [spacingMm[a], spacingMm[b], spacingMm[c]],
      direction: [direction[a], direction[b], direction[c]],
    };
    const across = data.map((_, n) => {
      const at = [0, 0, 0];
      [at[a], at[b], at[c]] = [n % size[a], Math.floor(n / size[a]) % size[b], Math.floor(n / (size[a] * size[b]))];
      const [i = 0, j = 0, k = 0] = at;
      return data[(k * size[1] + j) * size[0] + i] ?? 0;
    });
    const { source } = request;
    const instances = Array.from({ length: size[c] }, () => source.instances[0] ?? assert.fail());
    const labelmap = { ...request.labelmap, geometry: other, data: across };
    const of = readSeg(writeSeg({ ...request, source: { ...source, instances }, labelmap }).bytes);
    refusesAtOnce(() => lay(geometry, false, of), 'import-grid-differs', /across the slices/);
    assert.deepEqual(lay(geometry, true, of).labels, data);
  }
});

test('a spacing between slices that is negative or another one turns and thickens nothing', () => {
  const upright: Geometry = { ...geometry, size: [4, 4, 5], spacingMm: [1, 1, 2], origin: [0, 0, -4] };
  const image: Geometry = {
    ...upright,
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  };
  for (const SpacingBetweenSlices of [undefined, '2', '-2', '-0', '0']) {
    const measures = { PixelSpacing: [1, 1], SliceThickness: 2, SpacingBetweenSlices };
    const shared = { PlaneOrientationSequence: [{ ImageOrientationPatient: [1, 0, 0, 0, 1, 0] }] };
    const file = tiny({
      SharedFunctionalGroupsSequence: [{ ...shared, PixelMeasuresSequence: [measures] }],
      PixelData: new Uint8Array([0x01, 0, 0xff, 0xff]).buffer,
    });
    const { labels } = lay(image, false, readSeg(file));
    const bySlice = [0, 1, 2, 3, 4].map(
      (k) => labels.subarray(16 * k, 16 * (k + 1)).filter((label) => label > 0).length,
    );
    assert.deepEqual([bySlice, labels[32]], [[0, 0, 1, 16, 0], 1], String(SpacingBetweenSlices));
  }
});

test('shown are the slices that a wanted frame lies on, and no others', () => {
  const pixels = 24 * 20;
  const sparse = data.map((label, n) => ([2, 5].includes(Math.floor(n / pixels)) ? 0 : label || Number(n % 3 === 0)));
  const some = readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, data: sparse } }).bytes);
  assert.deepEqual([...lay(geometry, false, some).shown].sort(), [0, 1, 3, 4, 6, 7, 8]);
});

test('another grid is refused with what differs, or carried over with a word', () => {
  for (const [image, message] of [
    [grown(geometry, 0.5), /its pixels are [\d.]+ mm apart where those of the image are [\d.]+ mm apart/],
    [grown(geometry, 1.004), /mm apart/],
    [shifted([0.3, 0, 0]), /0\.3 of a pixel beside/],
    [shifted([0, 0, 0.4]), /0\.4 of a slice distance beside/],
    [{ ...geometry, direction: [geometry.direction[0], geometry.direction[2], geometry.direction[1]] }, /across/],
  ] as const satisfies readonly (readonly [Geometry, RegExp])[]) {
    refusesAtOnce(() => lay(image), 'import-grid-differs', message);
    const { resampled, notes } = lay(image, true);
    assert.deepEqual([resampled, message.test(notes[0] ?? '')], [true, true], notes.join());
  }
  for (const image of [grown(geometry, 1.0005), shifted([0.03, 0, 0.06])])
    assert.deepEqual(lay(image).labels, data, 'rounding is no other grid');
});

test('a SEG with half the resolution covers what the finer truth covers', () => {
  const coarse: Geometry = { ...geometry, size: [24, 20, 9] };
  const fine: Geometry = {
    ...geometry,
    size: [48, 40, 18],
    spacingMm: [geometry.spacingMm[0] / 2, geometry.spacingMm[1] / 2, geometry.spacingMm[2] / 2],
    origin: indexToPatient(coarse, [-0.25, -0.25, -0.25]),
  };
  const { labels, shown } = lay(fine, true);
  const count = (values: Uint8Array) => values.reduce((sum, label) => sum + Number(label > 0), 0);
  assert.equal(count(labels), 8 * count(data));
  assert.ok([...shown].every((k) => labels.subarray(k * 1920, (k + 1) * 1920).some((label) => label > 0)));
});

test('mask outside the image is refused, or left out with its size; a mask wholly outside always refused', () => {
  const part = subGrid(geometry, [3, 2, 1], [15, 14, 6]);
  let inside = 0;
  for (let n = 0; n < data.length; n++) {
    const [i, j, k] = [n % 24, Math.floor(n / 24) % 20, Math.floor(n / 480)];
    if (data[n] !== 0 && i >= 3 && i < 18 && j >= 2 && j < 16 && k >= 1 && k < 7) inside++;
  }
  const outside = data.reduce((sum, label) => sum + Number(label > 0), 0) - inside;
  assert.ok(outside > 0 && inside > 0);
  refusesAtOnce(() => lay(part), 'import-grid-differs', RegExp(`${outside} voxels of its mask lie outside`));
  const { labels, notes, resampled } = lay(part, true);
  assert.equal(
    labels.reduce((sum, label) => sum + Number(label > 0), 0),
    inside,
  );
  assert.deepEqual([resampled, notes.length], [false, 1]);
  assert.match(notes[0] ?? '', RegExp(`Left out: ${outside} voxels`));
  refusesAtOnce(() => lay(shifted([200, 0, 0]), true), 'import-elsewhere', /whole mask/);
  refusesAtOnce(() => lay(shifted([90000, 0, 0]), true), 'image-too-large', /the limit is 1000000/);
});
