import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type SegRequest, writeSeg } from '../../server/src/seg/write.ts';
import { sliceId } from '../../server/src/study/source-series.ts';
import { stepOfSlice } from '../../server/src/volume/slice-steps.ts';
import { leanBy, randomSegRequest, spaceBy } from '../fixtures/seg-request.ts';
import { faultsOf } from '../fixtures/source-files.ts';
import { complaints, readWithPydicom, skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('python3', 'dciodvfy', 'dcentvfy');

interface Seen {
  readonly rows: number;
  readonly columns: number;
  readonly orientation: readonly number[];
  readonly spacing: readonly number[];
  readonly sliceSpacing: number | null;
  readonly frames: readonly {
    segment: number;
    source: string;
    position: readonly number[];
    voxels: readonly number[];
  }[];
  readonly segments: readonly { number: number; label: string; type: string; version: string; tracking: string }[];
  /** Pointers of attribute and functional group, hex. */
  readonly dimensions: readonly (readonly [string, string])[];
  readonly patientName: string;
  readonly seriesDescription: string;
  readonly contentDescription: string;
  readonly studyUid: string;
}

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-seg-'));
});
after(() => rm(folder, { recursive: true }));

async function save(request: SegRequest): Promise<string> {
  const path = join(folder, `${request.sopInstanceUid}.dcm`);
  await writeFile(path, writeSeg(request).bytes);
  return path;
}

const see = (path: string): Seen => readWithPydicom('read-seg.py', path);

test('a SEG on any oblique grid is read voxel for voxel by pydicom and dciodvfy finds nothing', { skip }, async () => {
  for (const [seed, size] of [
    [1, [51, 43, 9]],
    [2, [64, 64, 5]],
    [3, [7, 5, 3]],
    [4, [251, 253, 4]],
  ] as const) {
    const request = randomSegRequest(seed, size);
    const path = await save(request);
    assert.deepEqual(await faultsOf(path, request.source), [], `seed ${seed}`);
    compare(see(path), request);
  }
});

function compare(seen: Seen, { labelmap, source, model, trackingUid }: SegRequest): void {
  const [columns, rows, slices] = labelmap.geometry.size;
  const { geometry } = labelmap;
  assert.deepEqual([seen.columns, seen.rows], [columns, rows]);
  const labels = new Uint8Array(labelmap.data.length);
  for (const frame of seen.frames) {
    const k = source.instances.findIndex((instance) => sliceId(instance) === frame.source);
    assert.ok(k >= 0 && k < slices, 'the frame names a source slice');
    for (const axis of [0, 1, 2] as const) {
      const expected =
        geometry.origin[axis] + stepOfSlice(geometry, k) * geometry.spacingMm[2] * geometry.direction[2][axis];
      assert.ok(
        Math.abs((frame.position[axis] ?? Number.NaN) - expected) < 1e-6,
        'the frame lies where its source lies',
      );
    }
    for (const voxel of frame.voxels) labels[k * rows * columns + voxel] = frame.segment;
  }
  assert.ok(Buffer.from(labels).equals(Buffer.from(labelmap.data)), '0 wrong voxels');
  assert.deepEqual(
    seen.segments.map((segment) => segment.label),
    ['brain', 'cerebellum', 'thalamus'],
    'the empty segment is kept',
  );
  assert.equal(seen.segments[0]?.version, String(model.version));
  assert.equal(seen.segments[0]?.tracking, trackingUid);
  assert.equal(seen.segments[0]?.type, 'AUTOMATIC');
  assert.deepEqual(seen.dimensions, [
    ['0062000B', '0062000A'],
    ['00200032', '00209113'],
  ]);
  assert.match(seen.seriesDescription, /AI-generated, research use/);
  assert.match(seen.contentDescription, /AI-generated, research use/);
}

test('a SEG on frames of multi-frame objects names each by its number', { skip }, async () => {
  const request = randomSegRequest(8);
  const { instances } = request.source;
  // Two objects, their frames in another order than the slices.
  const framed = instances.map((_, k) => ({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.4.1',
    sopInstanceUid: instances[k % 2]?.sopInstanceUid ?? '',
    frameNumber: 1 + ((7 * k) % instances.length),
  }));
  const changed = { ...request, source: { ...request.source, instances: framed } };
  const path = await save(changed);
  assert.deepEqual(await faultsOf(path, changed.source), []);
  compare(see(path), changed);
});

test('a SEG on the slices of a tilted gantry lies where they lie', { skip }, async () => {
  const upright = randomSegRequest(9);
  const geometry = leanBy(upright.labelmap.geometry, 20);
  const request = { ...upright, labelmap: { ...upright.labelmap, geometry } };
  const path = await save(request);
  assert.deepEqual(await faultsOf(path, request.source), []);
  compare(see(path), request);
});

test('a SEG on uneven slices lies where they lie, says so, and tells no distance between them', { skip }, async () => {
  const even = randomSegRequest(10);
  const gaps = [1, 1, 1.4, 1, 2.2, 2.2, 2.2, 1.7];
  const geometry = leanBy(spaceBy(even.labelmap.geometry, gaps), 12);
  for (const algorithmType of ['AUTOMATIC', 'SEMIAUTOMATIC'] as const) {
    const request = { ...even, algorithmType, labelmap: { ...even.labelmap, geometry } };
    const path = await save(request);
    assert.deepEqual(await faultsOf(path, request.source), []);
    const seen = see(path);
    if (algorithmType === 'AUTOMATIC') compare(seen, request);
    assert.match(seen.contentDescription, /AI-generated, research use; uneven slices$/);
    assert.ok(seen.contentDescription.length <= 64);
    assert.equal(seen.sliceSpacing, null);
  }
  assert.ok((see(await save(even)).sliceSpacing ?? 0) > 0);
});

test('a mask without any voxel is a valid object with its segments', { skip }, async () => {
  const request = randomSegRequest(5);
  const path = await save({ ...request, labelmap: { ...request.labelmap, data: new Uint8Array(51 * 43 * 9) } });
  assert.deepEqual(await faultsOf(path, request.source), []);
  const seen = see(path);
  assert.equal(seen.segments.length, 3);
  assert.ok(seen.frames.every((frame) => frame.voxels.length === 0));
});

test('ill-formed source values are repaired and told, the study UID is never altered', { skip }, async () => {
  const request = randomSegRequest(6);
  const studyInstanceUid = '1.2.03.4';
  const header = {
    ...request.source.header,
    PatientName: `${'N'.repeat(70)}^TEST`,
    PatientID: 'ID\\WITH\\BACKSLASH',
    AccessionNumber: '12345678901234567890',
    PatientWeight: '70,5',
    PatientAge: '45',
    StudyDescription: 'Größe Ж',
  };
  const changed = { ...request, source: { ...request.source, studyInstanceUid, header } };
  const { notes } = writeSeg(changed);
  for (const keyword of ['PatientName', 'AccessionNumber', 'PatientWeight', 'PatientAge']) {
    assert.ok(
      notes.some((note) => note.includes(keyword)),
      `${keyword} is told`,
    );
  }
  assert.ok(!notes.join().includes('NNNN'), 'no value of the patient stands in a note');
  const path = await save(changed);
  const ownFaults = complaints(path).filter(
    (line) => !/StudyInstanceUID|Study Instance UID|contains invalid data/.test(line),
  );
  assert.deepEqual(ownFaults, [], 'nothing but the ill-formed study UID itself is complained of');
  assert.equal(see(path).studyUid, studyInstanceUid);
});

test('a name in three scripts survives', { skip }, async () => {
  const request = randomSegRequest(8);
  const PatientName = 'Yamada^Tarou=山田^太郎=やまだ^たろう';
  const source = { ...request.source, header: { ...request.source.header, PatientName } };
  const path = await save({ ...request, source });
  assert.deepEqual(await faultsOf(path, source), []);
  assert.equal(see(path).patientName, PatientName);
});

test('a very long model name keeps the warning whole within 64 characters', { skip }, async () => {
  const request = { ...randomSegRequest(7), algorithmType: 'SEMIAUTOMATIC' as const };
  const model = { ...request.model, name: 'a'.repeat(40), version: 123456 };
  const path = await save({ ...request, model });
  assert.deepEqual(await faultsOf(path, request.source), []);
  const seen = see(path);
  assert.ok(seen.seriesDescription.length <= 64);
  assert.match(seen.seriesDescription, /corrected: AI-generated, research use$/);
  assert.equal(seen.segments[0]?.type, 'SEMIAUTOMATIC');
});
