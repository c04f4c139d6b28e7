import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type SegRequest, writeFractionalSeg, writeSeg } from '../../server/src/seg/write.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { probabilitiesFor, randomSegRequest, threeSegments } from '../fixtures/seg-request.ts';
import { faultsOf } from '../fixtures/source-files.ts';
import { complaints, disagreements, inflated, readWithPydicom, skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('python3', 'dciodvfy', 'dcentvfy', 'dcmconv');

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-seg-kinds-'));
});
after(() => rm(folder, { recursive: true }));

async function save(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${name}.dcm`);
  await writeFile(path, bytes);
  return path;
}

interface Fractions {
  readonly fraction: string;
  readonly most: number;
  readonly overlap: string;
  readonly frames: readonly { segment: number; source: string; values: readonly (readonly [number, number])[] }[];
}

test('FRACTIONAL SEGs please dciodvfy and hold the probabilities to half of 1/255, for pydicom', { skip }, async () => {
  for (const pixels of ['native', 'rle', 'deflated'] as const) {
    const request = probabilitiesFor(randomSegRequest(31), pixels);
    const path = await save(`fractional-${pixels}`, writeFractionalSeg(request).bytes);
    assert.deepEqual(await faultsOf(pixels === 'deflated' ? inflated(path) : path, request.source), [], pixels);
    const seen = readWithPydicom<Fractions>('read-fractions.py', path);
    assert.deepEqual([seen.fraction, seen.most, seen.overlap], ['PROBABILITY', 255, 'YES']);
    for (const [k, { sopInstanceUid }] of request.source.instances.entries()) {
      for (const [at, probabilities] of request.probabilitiesOf(k).entries()) {
        const frame = seen.frames.find(({ segment, source }) => segment === at + 1 && source === sopInstanceUid);
        const values = new Map(frame?.values);
        for (let i = 0; i < probabilities.length; i++) {
          const off = Math.abs((values.get(i) ?? 0) / 255 - (probabilities[i] ?? 0));
          assert.ok(off <= 1 / 510 + 1e-7, `${pixels}: ${off} off in segment ${at + 1}, slice ${k}`);
        }
      }
    }
  }
});

test('a BINARY SEG may be deflated, and is what it was for dciodvfy', { skip }, async () => {
  const request: SegRequest = { ...randomSegRequest(32), encoding: { type: 'BINARY', pixels: 'deflated' } };
  const path = inflated(await save('deflated', writeSeg(request).bytes));
  assert.deepEqual(await faultsOf(path, request.source), []);
});

/** The dciodvfy of 2022 knows neither the SOP class nor a background with number 0: both are of 2024 (supplement 243). */
const tooNew = /Information Object Not found|SegmentSequence item number 1 .* with SegmentNumber of 0/;

test('of a LABELMAP dciodvfy says only what is newer than it', { skip }, async () => {
  for (const pixels of ['native', 'rle', 'deflated'] as const) {
    const request: SegRequest = { ...randomSegRequest(33), encoding: { type: 'LABELMAP', pixels } };
    const path = await save(`labelmap-${pixels}`, writeSeg(request).bytes);
    const found = complaints(pixels === 'deflated' ? inflated(path) : path);
    assert.deepEqual(
      found.filter((line) => !tooNew.test(line)),
      [],
    );
  }
});

test('two hundred segments please dciodvfy', { skip }, async () => {
  const request = randomSegRequest(34, [40, 30, 6]);
  const segments = Array.from({ length: 200 }, (_, n) => {
    const like = threeSegments[n % 3] ?? assert.fail();
    return { ...like, number: n + 1, label: `segment ${n + 1}` };
  });
  const data = request.labelmap.data.map((_, n) => n % 201);
  const labelmap = { ...request.labelmap, data, segments };
  assert.deepEqual(await faultsOf(await save('many', writeSeg({ ...request, labelmap }).bytes), request.source), []);
});

test('SEGs and the series they lie on agree on patient and study, for dcentvfy', { skip }, async () => {
  const request = randomSegRequest(35, [12, 10, 4]);
  const { geometry } = request.labelmap;
  const volume = createVolume(new Int16Array(12 * 10 * 4), geometry);
  const { studyInstanceUid, seriesInstanceUid, frameOfReferenceUid } = request.source;
  const attributes = { ...request.source.header, FrameOfReferenceUID: frameOfReferenceUid };
  const series = makeSeries(volume, {
    modality: 'MR',
    attributes: () => ({ ...attributes, StudyInstanceUID: studyInstanceUid, SeriesInstanceUID: seriesInstanceUid }),
  });
  const paths = await Promise.all(series.files.map((file, n) => save(`source-${n}`, file)));
  assert.deepEqual(disagreements(paths), [], 'the series by itself');
  const binary = await save('binary', writeSeg(request).bytes);
  const fractional = await save(
    'fractional',
    writeFractionalSeg({ ...probabilitiesFor(request), sopInstanceUid: '2.25.71', seriesInstanceUid: '2.25.72' }).bytes,
  );
  assert.deepEqual(disagreements([...paths, binary, fractional]), []);
  const other = { ...request.source, header: { ...request.source.header, PatientName: 'OTHER^NAME' } };
  const wrong = await save('other', writeSeg({ ...request, source: other }).bytes);
  assert.ok(disagreements([...paths, wrong]).length > 0, 'what does not agree is told');
});
