import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { layOnImage } from '../../server/src/seg/lay-on-image.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { type SegRequest, writeFractionalSeg, writeSeg } from '../../server/src/seg/write.ts';
import { type Geometry, indexToPatient, patientToIndex } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { type Dcmqi, startDcmqi } from '../fixtures/dcmqi.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { refusesAtOnce } from '../fixtures/refuses.ts';
import { leanBy, probabilitiesFor, randomSegRequest, spaceBy, threeSegments } from '../fixtures/seg-request.ts';
import { inflated, skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('dcmconv');

let folder: string;
let dcmqi: Dcmqi;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-dcmqi-'));
  dcmqi = startDcmqi();
});
after(async () => {
  dcmqi?.close();
  await rm(folder, { recursive: true });
});

async function save(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${name}.dcm`);
  await writeFile(path, bytes);
  return path;
}

type Expected = (segment: number, voxel: number) => number;

/** How many values dcmqi sees otherwise than expected, wherever in the patient it sees them. */
async function wrongValues(path: string, image: Geometry, expected: Expected) {
  const { geometry, values } = await dcmqi.read(path);
  const [columns, rows, slices] = image.size;
  assert.deepEqual(geometry.size.slice(0, 2), [columns, rows]);
  const size = columns * rows;
  let wrong = 0;
  let placed = 0;
  for (let k = 0; k < slices; k++) {
    const at = (i: number, j: number) => patientToIndex(geometry, indexToPatient(image, [i, j, k]));
    // It numbers slices along the normal, whichever way the series goes.
    const slice = Math.round(at(0, 0)[2]);
    for (const [i, j] of [[0, 0] as const, [columns - 1, rows - 1] as const]) {
      assert.ok(Math.hypot(...at(i, j).map((value, axis) => value - ([i, j, slice][axis] ?? 0))) < 1e-3, `slice ${k}`);
    }
    for (const [segment, seen] of values) {
      for (let n = 0; n < size; n++) {
        const value = seen[slice * size + n] ?? 0;
        if (value !== expected(segment, k * size + n)) wrong += 1;
        if (value !== 0) placed += 1;
      }
    }
  }
  const all = [...values.values()].reduce(
    (sum, seen) => sum + Array.from(seen).filter((value) => value !== 0).length,
    0,
  );
  return { wrong, beside: all - placed, segments: [...values.keys()] };
}

/** Of any orientation; evenly spaced or with gaps of whole steps; many segments; a single slice. */
function requests(): readonly SegRequest[] {
  const uneven = randomSegRequest(64);
  const { geometry } = uneven.labelmap;
  const many = randomSegRequest(65, [40, 30, 6]);
  const segments = Array.from({ length: 200 }, (_, n) => {
    const like = threeSegments[n % 3] ?? assert.fail();
    return { ...like, number: n + 1, label: `segment ${n + 1}` };
  });
  return [
    // Frames of which 1, 2 and 4 pixels are left over whole bytes; of 3, 5, 6 and 7 this DCMTK reads others than there are.
    ...([[61, 51, 43, 9] as const, [62, 45, 42, 7] as const, [63, 26, 18, 12] as const] as const).map(
      ([seed, ...size]) => randomSegRequest(seed, size),
    ),
    { ...uneven, labelmap: { ...uneven.labelmap, geometry: spaceBy(geometry, [1, 1, 2, 1, 2, 2, 1, 1]) } },
    { ...many, labelmap: { ...many.labelmap, data: many.labelmap.data.map((_, n) => n % 201), segments } },
    randomSegRequest(66, [30, 20, 1]),
  ];
}

test('dcmqi sees every segment of a BINARY SEG as it was written', { skip }, async () => {
  for (const [n, request] of requests().entries()) {
    const { data, geometry, segments } = request.labelmap;
    for (const pixels of ['native', 'deflated'] as const) {
      const path = await save(
        `binary-${n}-${pixels}`,
        writeSeg({ ...request, encoding: { type: 'BINARY', pixels } }).bytes,
      );
      // Built without zlib: what it cannot inflate, DCMTK does.
      const readable = pixels === 'deflated' ? inflated(path) : path;
      const seen = await wrongValues(readable, geometry, (segment, voxel) => (data[voxel] === segment ? segment : 0));
      assert.deepEqual(seen, { wrong: 0, beside: 0, segments: segments.map(({ number }) => number) }, `${n} ${pixels}`);
    }
  }
});

test('dcmqi sees the probabilities of a FRACTIONAL SEG to 1/255', { skip }, async () => {
  for (const [n, request] of [...requests(), randomSegRequest(67, [251, 253, 4])].entries()) {
    const { geometry, segments } = request.labelmap;
    const size = geometry.size[0] * geometry.size[1];
    for (const pixels of ['native', 'rle', 'deflated'] as const) {
      const fractional = probabilitiesFor(request, pixels);
      const path = await save(`fractional-${n}-${pixels}`, writeFractionalSeg(fractional).bytes);
      const slices = request.source.instances.map((_, k) => fractional.probabilitiesOf(k));
      const seen = await wrongValues(pixels === 'deflated' ? inflated(path) : path, geometry, (segment, voxel) =>
        Math.round(255 * Number(slices[Math.floor(voxel / size)]?.[segment - 1]?.[voxel % size])),
      );
      assert.deepEqual(seen, { wrong: 0, beside: 0, segments: segments.map(({ number }) => number) }, `${n} ${pixels}`);
    }
  }
});

test('what dcmqi cannot show is refused by it, not shown elsewhere: slices that lean, and LABELMAP', {
  skip,
}, async () => {
  const upright = randomSegRequest(68);
  const leaning = { ...upright, labelmap: { ...upright.labelmap, geometry: leanBy(upright.labelmap.geometry, 15) } };
  await assert.rejects(dcmqi.read(await save('leaning', writeSeg(leaning).bytes)));
  const encoding = { type: 'LABELMAP', pixels: 'native' } as const;
  await assert.rejects(dcmqi.read(await save('labelmap', writeSeg({ ...upright, encoding }).bytes)));
});

/** Has dcmqi write masks on the grid of a request. @returns the file. */
async function foreign(
  { labelmap: { geometry } }: SegRequest,
  masks: readonly Uint8Array[],
  skipEmptySlices: boolean,
): Promise<Buffer> {
  const series = makeSeries(createVolume(new Int16Array(masks[0]?.length ?? 0), geometry));
  const references = await Promise.all(series.files.map((file, k) => save(`source-${k}`, file)));
  const path = join(folder, 'foreign.dcm');
  await dcmqi.write(path, { geometry, labels: ['brain', 'cerebellum'], masks, references, skipEmptySlices });
  return await readFile(path);
}

test('a SEG that dcmqi wrote is read voxel for voxel, with and without its empty slices', { skip }, async () => {
  for (const [seed, ...size] of [[71, 51, 48, 9] as const, [72, 64, 64, 5] as const, [73, 8, 250, 12] as const]) {
    const request = randomSegRequest(seed, size);
    const { data, geometry: image } = request.labelmap;
    const classes = new Map([1, 2].map((number) => [number, number]));
    for (const skipEmptySlices of [true, false]) {
      const seg = readSeg(await foreign(request, [data], skipEmptySlices));
      assert.deepEqual(
        seg.segments.map(({ label, algorithmType }) => [label, algorithmType]),
        ['brain', 'cerebellum'].map((label) => [label, 'MANUAL']),
      );
      const laid = layOnImage(seg, { classes, image, maxVoxels: 1e6, resample: false });
      assert.ok(Buffer.from(laid.labels).equals(Buffer.from(data)), `0 wrong voxels of ${size}`);
    }
  }
});

test('segments of dcmqi that overlap are read each by itself, and refused together', { skip }, async () => {
  const request = randomSegRequest(74, [40, 32, 6]);
  const { data, geometry: image } = request.labelmap;
  const masks = [data.map((_, n) => Number(n % 3 === 0)), data.map((_, n) => Number(n % 5 === 0))];
  const seg = readSeg(await foreign(request, masks, true));
  const lay = (wanted: readonly number[]) =>
    layOnImage(seg, { classes: new Map(wanted.map((n) => [n, n])), image, maxVoxels: 1e6, resample: false }).labels;
  for (const [at, mask] of masks.entries()) {
    assert.deepEqual(
      lay([at + 1]),
      mask.map((value) => value * (at + 1)),
    );
  }
  assert.throws(() => lay([1, 2]), { code: 'seg-unsupported' });
});

test('frames of dcmqi that do not fill whole bytes are refused unless its DCMTK is known to write them right', {
  skip,
}, async () => {
  const request = randomSegRequest(75, [13, 11, 6]);
  const bytes = await foreign(request, [request.labelmap.data], true);
  refusesAtOnce(() => readSeg(bytes), 'seg-unsupported', /dcmqi with DCMTK 368; .* as 11 x 13 do not/);
  const named = (version: string) => {
    const other = Buffer.from(bytes);
    other.write(version, other.indexOf('OFFIS_DCMTK_368'), 'latin1');
    return other;
  };
  refusesAtOnce(() => readSeg(named('SOME_PACS_2    ')), 'seg-unsupported', /an unknown version/);
  assert.equal(readSeg(named('OFFIS_DCMTK_370')).segments.length, 2);
});
