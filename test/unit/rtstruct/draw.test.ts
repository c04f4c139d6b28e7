import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { drawRegions } from '../../../server/src/rtstruct/draw.ts';
import { readRtStruct } from '../../../server/src/rtstruct/read.ts';
import type { Geometry } from '../../../server/src/volume/geometry.ts';
import { type DrawnContour, type DrawnRegion, makeRtStruct } from '../../fixtures/make-rtstruct.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { leanBy, randomGeometry } from '../../fixtures/seg-request.ts';

const uids = { studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.2', frameOfReferenceUid: '2.25.3' };
const grid: Geometry = {
  size: [20, 16, 4],
  spacingMm: [0.75, 1.25, 3],
  origin: [-10, 20, 5],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
};
type Corners = DrawnContour['corners'];
const box = (left: number, top: number, right: number, bottom: number): Corners => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
];
const region = (...contours: readonly DrawnContour[]): DrawnRegion => ({ number: 1, name: 'Brain', contours });
const draw = (regions: readonly DrawnRegion[], { image = grid, resample = false, classes = new Map([[1, 1]]) } = {}) =>
  drawRegions(readRtStruct(makeRtStruct(image, uids, regions)), { classes, image, resample });
const drawn = (corners: Corners, ...more: readonly Corners[]) =>
  draw([region(...[corners, ...more].map((each) => ({ slice: 1, corners: each })))]);
const count = (labels: Uint8Array) => labels.reduce((sum, label) => sum + Number(label > 0), 0);
const rowsOf = (labels: Uint8Array, slice: number) =>
  Array.from({ length: 16 }, (_, j) =>
    [...labels.subarray((slice * 16 + j) * 20, (slice * 16 + j + 1) * 20)].map((label) => (label ? '#' : '.')).join(''),
  );

test('a contour through pixel centres has as many pixels as its area: left and top edge in, right and bottom out', () => {
  const { labels, shown, notes, resampled } = drawn(box(3, 2, 8, 6));
  assert.equal(count(labels), 5 * 4);
  assert.equal(rowsOf(labels, 1)[2], '...#####............');
  assert.equal(rowsOf(labels, 1)[6], '....................');
  assert.deepEqual([[...shown], notes, resampled], [[1], [], false]);
  assert.deepEqual(drawn([...box(3, 2, 8, 6)].reverse()).labels, labels, 'either way round');
});

test('sub-pixel edges: only pixels whose centre is enclosed', () => {
  assert.equal(count(drawn(box(3.4, 2.6, 8.4, 6.6)).labels), 5 * 4);
  assert.equal(count(drawn(box(3.1, 2.1, 3.9, 2.9)).labels), 0);
  assert.match(drawn(box(3.1, 2.1, 3.9, 2.9)).notes[0] ?? '', /1 of 1 contours enclose no pixel centre/);
});

test('two boxes with a common edge share no pixel and leave none out', () => {
  const both = drawn(box(2, 2, 7, 9), box(7, 2, 12, 9)).labels;
  assert.deepEqual(both, drawn(box(2, 2, 12, 9)).labels);
});

test('nested contours are holes and islands by turns, in any order; a keyhole is the same hole', () => {
  const rings: readonly Corners[] = [box(1, 1, 15, 13), box(4, 4, 12, 10), box(6, 6, 9, 8)];
  const [outer = [], hole = [], island = []] = rings;
  const { labels } = drawn(outer, hole, island);
  assert.equal(count(labels), 14 * 12 - 8 * 6 + 3 * 2);
  assert.deepEqual(drawn(island, outer, hole).labels, labels);
  const keyhole: Corners = [...outer, [1, 1], [4, 4], [4, 10], [12, 10], [12, 4], [4, 4], [1, 1]];
  assert.deepEqual(drawn(keyhole).labels, drawn(outer, hole).labels);
});

test('several contours on a slice and slices without one: nothing is made up between', () => {
  const { labels, shown } = draw([
    region(
      { slice: 0, corners: box(1, 1, 4, 4) },
      { slice: 0, corners: box(8, 1, 12, 4) },
      { slice: 2, corners: box(1, 1, 4, 4) },
    ),
  ]);
  assert.deepEqual([...shown].sort(), [0, 2]);
  assert.equal(count(labels), 9 + 12 + 9);
  assert.equal(count(labels.subarray(320, 640)), 0);
});

test('the pixels are those of an independent point-in-polygon test, on oblique and leaning grids too', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = Random.for(seed, 'rtstruct');
    const straight = randomGeometry(random, [31, 27, 3]);
    const image = seed % 4 === 0 ? leanBy(straight, 14) : straight;
    const corners: Corners = Array.from({ length: 12 }, (_, n) => {
      const angle = (2 * Math.PI * n) / 12;
      const radius = random.uniform(3, 12);
      return [15 + radius * Math.cos(angle), 13 + radius * Math.sin(angle)] as const;
    });
    const { labels } = draw([region({ slice: 1, corners })], { image });
    let [wrong, compared] = [0, 0];
    for (let j = 0; j < 27; j++)
      for (let i = 0; i < 31; i++) {
        // Sum of the angles under which a point sees the edges.
        let turn = 0;
        let nearest = Number.POSITIVE_INFINITY;
        for (const [n, [x, y]] of corners.entries()) {
          const [u, v] = corners[(n + 1) % corners.length] ?? [0, 0];
          const by = Math.atan2(v - j, u - i) - Math.atan2(y - j, x - i);
          const along = ((i - x) * (u - x) + (j - y) * (v - y)) / ((u - x) ** 2 + (v - y) ** 2);
          const share = Math.min(1, Math.max(0, along));
          nearest = Math.min(nearest, Math.hypot(x + share * (u - x) - i, y + share * (v - y) - j));
          turn += by > Math.PI ? by - 2 * Math.PI : by < -Math.PI ? by + 2 * Math.PI : by;
        }
        // Corners are rounded to a thousandth of a pixel.
        if (nearest < 1e-3) continue;
        compared++;
        if ((labels[(27 + j) * 31 + i] === 1) !== Math.abs(turn) > Math.PI) wrong++;
      }
    assert.equal(wrong, 0, `seed ${seed}`);
    assert.ok(compared > 830, `${compared} of 837 pixels`);
  }
});

test('a fine circle has its analytic area within what half a pixel of its outline can change', () => {
  const image: Geometry = { ...grid, size: [400, 400, 1], spacingMm: [0.1, 0.1, 1] };
  const corners: Corners = Array.from({ length: 720 }, (_, n) => {
    const angle = (2 * Math.PI * n) / 720;
    return [200.3 + 150 * Math.cos(angle), 199.6 + 150 * Math.sin(angle)] as const;
  });
  const area = count(draw([region({ slice: 0, corners })], { image }).labels);
  assert.ok(Math.abs(area / (Math.PI * 150 ** 2) - 1) < 0.001, `${area} pixels`);
});

test('contours whose meaning is not agreed are refused, with the region', () => {
  refusesAtOnce(() => drawn(box(2, 2, 9, 9), box(6, 6, 14, 14)), 'rtstruct-unsupported', /Region 1 .*cross/);
  refusesAtOnce(() => drawn(box(2, 2, 9, 9), box(2, 2, 9, 9)), 'rtstruct-unsupported', /Region 1 .*twice/);
  const xor = [box(2, 2, 9, 9), box(6, 6, 14, 14)].map((corners) => ({ slice: 1, corners, type: 'CLOSEDPLANAR_XOR' }));
  assert.equal(count(draw([region(...xor)]).labels), 49 + 64 - 2 * 9);
  for (const type of ['POINT', 'OPEN_PLANAR'])
    refusesAtOnce(
      () => draw([region({ slice: 1, corners: box(1, 1, 4, 4), type })]),
      'rtstruct-unsupported',
      RegExp(type),
    );
  const two = [
    region({ slice: 1, corners: box(1, 1, 9, 9) }),
    { ...region({ slice: 1, corners: box(5, 5, 12, 12) }), number: 2 },
  ];
  const classes = new Map([
    [1, 1],
    [2, 2],
  ]);
  refusesAtOnce(() => draw(two, { classes }), 'rtstruct-unsupported', /Region 2 overlaps/);
  assert.equal(count(draw(two).labels), 64, 'a region that is not wanted is not looked at');
});

test('contours beside the slices or beyond the image are refused, or left out with a word', () => {
  const on: DrawnContour = { slice: 1, corners: box(1, 1, 4, 4) };
  const between: DrawnContour = { slice: 1.5, corners: box(1, 1, 4, 4) };
  const far: DrawnContour = { slice: 9, corners: box(1, 1, 4, 4) };
  const wide: DrawnContour = { slice: 2, corners: box(-5, 1, 4, 4) };
  for (const [contour, message] of [
    [between, /1 of 2 contours lie on no slice/],
    [far, /1 of 2 contours lie on no slice/],
    [wide, /1 of 2 contours reach beyond/],
  ] as const) {
    refusesAtOnce(() => draw([region(on, contour)]), 'import-grid-differs', message);
    assert.match(draw([region(on, contour)], { resample: true }).notes[0] ?? '', message);
  }
  assert.equal(count(draw([region(on, wide)], { resample: true }).labels), 9 + 12);
  refusesAtOnce(() => draw([region(between, far)], { resample: true }), 'import-elsewhere', /None of the 2 contours/);
  assert.equal(count(draw([region({ ...on, slice: 1.05 })]).labels), 9, 'rounding of positions is no other slice');
});
