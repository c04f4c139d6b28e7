import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { placeSegments } from '../../../server/src/seg/place.ts';
import { readSeg } from '../../../server/src/seg/read.ts';
import { writeSeg } from '../../../server/src/seg/write.ts';
import { type Geometry, indexToPatient, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { leanBy, randomSegRequest } from '../../fixtures/seg-request.ts';
import { tiny } from '../../fixtures/tiny-seg.ts';

const maxVoxels = 1e7;
const same = new Map([
  [1, 1],
  [2, 2],
  [3, 3],
]);
/** Debian's own interpreter: only it sees Debian's python3-pydicom. */
const python = '/usr/bin/python3';
const skip = existsSync(python) || process.env['CI'] ? false : `needs ${python}`;

test('a SEG of ours comes back voxel for voxel, on any oblique grid', () => {
  for (const [seed, size] of [
    [11, [51, 43, 9]],
    [12, [64, 64, 5]],
    [13, [7, 5, 3]],
    [14, [33, 35, 40]],
  ] as const) {
    const request = randomSegRequest(seed, size);
    const seg = readSeg(writeSeg(request).bytes);
    const labels = placeSegments(seg, { classes: same, image: request.labelmap.geometry, maxVoxels });
    assert.ok(Buffer.from(labels).equals(Buffer.from(request.labelmap.data)), `seed ${seed}: 0 wrong voxels`);
    assert.deepEqual(seg.referencedSeries, [request.source.seriesInstanceUid]);
    assert.equal(seg.referencedInstances.size, size[2]);
    assert.equal(seg.frameOfReferenceUid, request.source.frameOfReferenceUid);
    assert.equal(seg.createdAt, '20260102030405');
    assert.deepEqual(
      seg.segments.map(({ number, label, algorithmType }) => [number, label, algorithmType]),
      [
        [1, 'brain', 'AUTOMATIC'],
        [2, 'cerebellum', 'AUTOMATIC'],
        [3, 'thalamus', 'AUTOMATIC'],
      ],
    );
  }
});

test('a SEG on the slices of a tilted gantry comes back voxel for voxel, also a sparse one', () => {
  for (const [seed, degrees] of [
    [21, 12],
    [22, -28],
  ] as const) {
    const upright = randomSegRequest(seed, [40, 36, 12]);
    const geometry = leanBy(upright.labelmap.geometry, degrees);
    const pixels = 40 * 36;
    const sparse = upright.labelmap.data.map((label, n) => (Math.floor(n / pixels) % 3 === 1 ? label : 0));
    for (const data of [upright.labelmap.data, sparse]) {
      const seg = readSeg(writeSeg({ ...upright, labelmap: { ...upright.labelmap, geometry, data } }).bytes);
      assert.deepEqual(placeSegments(seg, { classes: same, image: geometry, maxVoxels }), data, `seed ${seed}`);
    }
  }
});

test('segments are renamed to classes, and what is not named is left out', () => {
  const request = randomSegRequest(15);
  const seg = readSeg(writeSeg(request).bytes);
  const labels = placeSegments(seg, { classes: new Map([[2, 1]]), image: request.labelmap.geometry, maxVoxels });
  assert.deepEqual(
    labels,
    request.labelmap.data.map((label) => (label === 2 ? 1 : 0)),
  );
});

test('a sparse SEG on every second slice does not thicken its slices', () => {
  const request = randomSegRequest(16, [20, 16, 9]);
  const data = request.labelmap.data.map((_, n) => (Math.floor(n / 320) % 2 === 0 && n % 320 > 100 ? 1 : 0));
  const seg = readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, data } }).bytes);
  const labels = placeSegments(seg, { classes: new Map([[1, 1]]), image: request.labelmap.geometry, maxVoxels });
  assert.deepEqual(labels, data);
});

test('a SEG on another grid is carried over by geometry, and one elsewhere is refused', () => {
  const request = randomSegRequest(17, [40, 36, 12]);
  const { geometry } = request.labelmap;
  const data = request.labelmap.data.map((_, n) => {
    const [i, j, k] = [n % 40, Math.floor(n / 40) % 36, Math.floor(n / 1440)];
    return i >= 10 && i < 30 && j >= 8 && j < 28 && k >= 3 && k < 9 ? 1 : 0;
  });
  const seg = readSeg(writeSeg({ ...request, labelmap: { ...request.labelmap, data } }).bytes);
  const classes = new Map([[1, 1]]);
  const fine: Geometry = {
    ...geometry,
    size: [80, 72, 24],
    spacingMm: geometry.spacingMm.map((mm) => mm / 2) as unknown as Vec3,
    origin: indexToPatient(geometry, [-0.25, -0.25, -0.25]),
  };
  const labels = placeSegments(seg, { classes, image: fine, maxVoxels });
  const count = (values: Uint8Array) => values.reduce((sum, value) => sum + value, 0);
  assert.equal(count(labels), 8 * count(data), 'eight fine voxels for one');

  const far = { ...geometry, origin: indexToPatient(geometry, [500, 0, 0]) };
  refusesAtOnce(() => placeSegments(seg, { classes, image: far, maxVoxels }), 'truth-elsewhere', /No frame/);
  refusesAtOnce(
    () => placeSegments(seg, { classes, image: fine, maxVoxels: 100 }),
    'image-too-large',
    /the limit is 100/,
  );
});

/** Frames as another vendor writes them: in any order, cropped, rows and columns running backwards, all of it per frame. */
function vendorSeg(request: ReturnType<typeof randomSegRequest>, random: Random) {
  const { data, geometry, segments } = request.labelmap;
  const [columns, rows, slices] = geometry.size;
  const crop = { left: 3, top: 2, columns: columns - 5, rows: rows - 6 };
  const [row, column] = geometry.direction;
  const back = (axis: Vec3) => axis.map((cosine) => -cosine);
  const frames = [1, 2].flatMap((segment) =>
    Array.from({ length: slices }, (_, k) => {
      const voxels: number[] = [];
      for (let y = 0; y < crop.rows; y++)
        for (let x = 0; x < crop.columns; x++) {
          const i = crop.left + crop.columns - 1 - x;
          const j = crop.top + crop.rows - 1 - y;
          if (data[(k * rows + j) * columns + i] === segment) voxels.push(y * crop.columns + x);
        }
      return {
        segment,
        position: indexToPatient(geometry, [crop.left + crop.columns - 1, crop.top + crop.rows - 1, k]).map((mm) =>
          Number(mm.toFixed(4)),
        ),
        orientation: [...back(row), ...back(column)].map((cosine) => Number(cosine.toFixed(6))),
        spacing: [geometry.spacingMm[1], geometry.spacingMm[0]].map((mm) => Number(mm.toFixed(5))),
        // As some scanners have it: thinner than the distance between slices.
        thickness: Number((0.7 * geometry.spacingMm[2]).toFixed(4)),
        voxels,
      };
    }),
  );
  for (let n = frames.length - 1; n > 0; n--) {
    const other = random.int(n + 1);
    [frames[n], frames[other]] = [frames[other] as (typeof frames)[0], frames[n] as (typeof frames)[0]];
  }
  const cropped = data.map((label, n) => {
    const [i, j] = [n % columns, Math.floor(n / columns) % rows];
    const inside = i >= 3 && i < 3 + crop.columns && j >= 2 && j < 2 + crop.rows;
    return inside ? label : 0;
  });
  return {
    cropped,
    description: {
      study: request.source.studyInstanceUid,
      series: request.source.seriesInstanceUid,
      frameOfReference: request.source.frameOfReferenceUid,
      type: 'BINARY',
      rows: crop.rows,
      columns: crop.columns,
      segments: segments.map(({ number, label }) => ({ number, label })),
      frames,
    },
  };
}

test('a SEG of pydicom with shuffled, cropped and turned frames is read voxel for voxel', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-read-seg-'));
  try {
    for (const implicit of [false, true]) {
      const request = randomSegRequest(implicit ? 22 : 21, [29, 31, 8]);
      const { description, cropped } = vendorSeg(request, Random.for(5, 'vendor'));
      const path = join(folder, 'seg.dcm');
      const script = join(import.meta.dirname, '../../fixtures/write-seg.py');
      execFileSync(python, [script, path], { input: JSON.stringify({ ...description, implicit }) });
      const seg = readSeg(await readFile(path));
      const labels = placeSegments(seg, { classes: same, image: request.labelmap.geometry, maxVoxels });
      assert.deepEqual(labels, cropped, implicit ? 'implicit VR' : 'explicit VR');
      assert.deepEqual(seg.referencedSeries, [description.series]);
      assert.equal(seg.segments[0]?.algorithmType, 'MANUAL');
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

const grid: Geometry = {
  size: [4, 4, 2],
  spacingMm: [1, 1, 2],
  origin: [0, 0, 0],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
};

test('a SEG of one segment needs no frame identification, no derivation and no references', () => {
  const labels = placeSegments(readSeg(tiny({})), { classes: new Map([[1, 1]]), image: grid, maxVoxels });
  assert.ok(labels.every((label) => label === 1));
});

for (const [name, changes, code, message] of [
  ['of another kind', { SOPClassUID: '1.2.840.10008.5.1.4.1.1.4' }, 'instance-unreadable', /no DICOM SEG/],
  ['without Rows', { Rows: undefined }, 'instance-unreadable', /no Rows/],
  ['with fewer frame groups than frames', { NumberOfFrames: 3 }, 'instance-unreadable', /2 frame groups for 3/],
  ['with too few bits', { PixelData: new Uint8Array(2).buffer }, 'instance-unreadable', /2 bytes.*4 are due/],
  ['with bytes in place of bits', { PixelData: new Uint8Array(32).buffer }, 'instance-unreadable', /32 bytes/],
  ['without segments', { SegmentSequence: [] }, 'instance-unreadable', /SegmentSequence/],
  [
    'whose frames have no position',
    { PerFrameFunctionalGroupsSequence: [{}, {}] },
    'instance-unreadable',
    /Frame 1 .*PlanePositionSequence/,
  ],
  [
    'with a decimal comma',
    {
      SharedFunctionalGroupsSequence: [
        {
          PlaneOrientationSequence: [{ ImageOrientationPatient: [1, 0, 0, 0, 1, 0] }],
          PixelMeasuresSequence: [{ PixelSpacing: ['1,5', '1,5'] }],
        },
      ],
    },
    'instance-unreadable',
    /PixelSpacing/,
  ],
] as const) {
  test(`a SEG ${name} is refused`, () => refusesAtOnce(() => readSeg(tiny(changes)), code, message));
}

test('frames that are no regular stack, and segments that contradict each other, are refused', () => {
  const place = (changes: Readonly<Record<string, unknown>>, classes = new Map([[1, 1]])) =>
    placeSegments(readSeg(tiny({ NumberOfFrames: 3, PixelData: new Uint8Array(6).fill(255).buffer, ...changes })), {
      classes,
      image: grid,
      maxVoxels,
    });
  const at = (...positions: readonly Vec3[]) => ({
    PerFrameFunctionalGroupsSequence: positions.map((position, n) => ({
      PlanePositionSequence: [{ ImagePositionPatient: [...position] }],
      SegmentIdentificationSequence: [{ ReferencedSegmentNumber: n === 2 ? 2 : 1 }],
    })),
    SegmentSequence: [1, 2].map((number) => ({ SegmentNumber: number, SegmentLabel: `${number}` })),
  });
  const both = new Map([
    [1, 1],
    [2, 2],
  ]);
  const uneven = at([0, 0, 0], [0, 0, 2], [0, 0, 5]);
  refusesAtOnce(() => place(uneven, both), 'seg-unsupported', /unevenly/);
  refusesAtOnce(() => place(at([0, 0, 0], [1, 0, 2], [0, 0, 4]), both), 'seg-unsupported', /one stack/);
  const twice = at([0, 0, 0], [0, 0, 2], [0, 0, 2]);
  refusesAtOnce(() => place(twice, both), 'seg-unsupported', /Segment 2 .*overlaps/);
  assert.ok(
    place(twice, new Map([[1, 1]])).every((label) => label === 1),
    'one of them alone is fine',
  );
});

test('a SEG that is cut anywhere is refused with a reason, never misread', () => {
  const { bytes } = writeSeg(randomSegRequest(18, [16, 16, 4]));
  const random = Random.for(1, 'cut');
  for (let n = 0; n < 200; n++) {
    const cut = bytes.subarray(0, random.int(bytes.length - 1));
    assert.throws(
      () => readSeg(cut),
      (error) => error instanceof AppError && error.code === 'instance-unreadable',
      `${cut.length} bytes`,
    );
  }
});

test('bytes changed at random give a SEG or a reason, never another fault', () => {
  const { bytes } = writeSeg(randomSegRequest(19, [16, 16, 4]));
  const random = Random.for(2, 'noise');
  let refused = 0;
  for (let n = 0; n < 1000; n++) {
    const changed = bytes.slice();
    for (let k = 0; k < 3; k++) changed[132 + random.int(bytes.length - 132)] = random.int(256);
    try {
      placeSegments(readSeg(changed), { classes: same, image: grid, maxVoxels });
    } catch (error) {
      assert.ok(error instanceof AppError, `${n}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});
