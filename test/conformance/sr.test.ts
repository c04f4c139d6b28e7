import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { measureSegments } from '../../server/src/labelmap/metrics.ts';
import { deriveUid } from '../../server/src/seg/uid.ts';
import { type SrRequest, writeSr } from '../../server/src/sr/write.ts';
import { randomSrRequest } from '../fixtures/sr-request.ts';
import { complaints, printReport, readWithPydicom, skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('python3', 'dciodvfy');
const skipPrinting = skipWithout('dsrdump');

interface Seen {
  readonly sopClass: string;
  readonly sopUid: string;
  readonly seriesUid: string;
  readonly studyUid: string;
  readonly template: string;
  readonly patientName: string;
  readonly seriesDescription: string;
  readonly completion: string;
  readonly verification: string;
  readonly groups: readonly {
    readonly trackingId: string;
    readonly trackingUid: string;
    readonly finding: string;
    readonly segClass: string;
    readonly seg: string;
    readonly segment: number;
    readonly series: string;
    readonly parameters: string;
    readonly ml: number;
    readonly unit: string;
    readonly centre: readonly number[];
    readonly comment: string;
    readonly template: string;
  }[];
  readonly library: readonly string[];
  readonly evidence: Readonly<Record<string, readonly string[]>>;
}

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uncol-sr-'));
});
after(() => rm(folder, { recursive: true }));

async function save(request: SrRequest): Promise<string> {
  const path = join(folder, `${request.sopInstanceUid}.dcm`);
  await writeFile(path, writeSr(request).bytes);
  return path;
}

const see = (path: string): Seen => readWithPydicom('read-sr.py', path);

test('volumes, UIDs and references are read back by pydicom and dciodvfy finds nothing', { skip }, async () => {
  for (const [seed, size] of [
    [1, [51, 43, 9]],
    [2, [64, 64, 5]],
    [3, [7, 5, 3]],
  ] as const) {
    const request = randomSrRequest(seed, size);
    const { seg } = request;
    const path = await save(request);
    assert.deepEqual(complaints(path), [], `seed ${seed}`);
    const seen = see(path);
    const instances = seg.source.instances.map(({ sopInstanceUid }) => sopInstanceUid);
    assert.deepEqual(
      [seen.sopClass, seen.sopUid, seen.seriesUid, seen.studyUid, seen.template],
      [
        '1.2.840.10008.5.1.4.1.1.88.34',
        request.sopInstanceUid,
        request.seriesInstanceUid,
        seg.source.studyInstanceUid,
        '1500',
      ],
    );
    assert.deepEqual([seen.completion, seen.verification], ['PARTIAL', 'UNVERIFIED']);
    assert.deepEqual(seen.library, instances);
    assert.deepEqual(seen.evidence, {
      [seg.source.seriesInstanceUid]: instances,
      [seg.seriesInstanceUid]: [seg.sopInstanceUid],
    });
    compareGroups(seen, request);
  }
});

function compareGroups(seen: Seen, { seg }: SrRequest): void {
  const { labelmap, source, model, sopInstanceUid, trackingUid } = seg;
  const extents = measureSegments(labelmap).filter(({ voxels }) => voxels > 0);
  assert.deepEqual(
    seen.groups.map(({ ml: _ml, centre: _centre, comment: _comment, ...rest }) => rest),
    extents.map(({ number }) => ({
      trackingId: `${labelmap.segments[number - 1]?.label} 1`,
      trackingUid: number === 1 ? trackingUid : deriveUid(trackingUid, number),
      finding: labelmap.segments[number - 1]?.type.value,
      segClass: '1.2.840.10008.5.1.4.1.1.66.4',
      seg: sopInstanceUid,
      segment: number,
      series: source.seriesInstanceUid,
      parameters: `weights sha256 ${model.sha256}`,
      unit: 'cm3',
      template: '1411',
    })),
  );
  for (const [n, { ml, centre }] of extents.entries()) {
    const group = seen.groups[n];
    // A Decimal String holds 16 characters, a coordinate is a float32.
    assert.ok(Math.abs((group?.ml ?? 0) / ml - 1) < 1e-12);
    assert.ok(centre?.every((value, axis) => Math.abs(value - (group?.centre[axis] ?? Number.NaN)) < 1e-4));
    assert.match(group?.comment ?? '', /^AI-generated and edited by a reader\. Research use only, not for diagnosis\./);
  }
}

test('a report on an empty mask, or one whose every slice was looked at, is valid as well', { skip }, async () => {
  const request = randomSrRequest(4);
  const { seg } = request;
  const data = new Uint8Array(seg.labelmap.data.length);
  const path = await save({
    ...request,
    seg: { ...seg, algorithmType: 'AUTOMATIC', labelmap: { ...seg.labelmap, data } },
    vouchedSlices: seg.source.instances.length,
  });
  assert.deepEqual(complaints(path), []);
  const seen = see(path);
  assert.deepEqual([seen.groups, seen.completion, seen.verification], [[], 'COMPLETE', 'UNVERIFIED']);
});

test('a name in three scripts and ill-formed source values are taken as the SEG takes them', { skip }, async () => {
  const request = randomSrRequest(5);
  const { source } = request.seg;
  const PatientName = 'Yamada^Tarou=山田^太郎=やまだ^たろう';
  const header = { ...source.header, PatientName, PatientWeight: '70,5', StudyDescription: 'Größe Ж' };
  const changed = { ...request, seg: { ...request.seg, source: { ...source, header } } };
  assert.ok(writeSr(changed).notes.some((note) => note.includes('PatientWeight')));
  const path = await save(changed);
  assert.deepEqual(complaints(path), []);
  assert.equal(see(path).patientName, PatientName);
});

test('a very long model name keeps the warning whole within 64 characters', { skip }, async () => {
  const request = randomSrRequest(6);
  const model = { ...request.seg.model, name: 'a'.repeat(40), version: 123456 };
  const path = await save({ ...request, seg: { ...request.seg, model } });
  assert.deepEqual(complaints(path), []);
  const { seriesDescription } = see(path);
  assert.ok(seriesDescription.length <= 64);
  assert.match(seriesDescription, /volumes corrected: AI-generated, research use$/);
});

test('dsrdump prints the report with its volumes', { skip: skipPrinting }, async () => {
  const request = randomSrRequest(7);
  const { text, errors } = printReport(await save(request));
  assert.deepEqual(errors, []);
  assert.equal(text.match(/<contains NUM:\(118565006,SCT,"Volume"\)/g)?.length, 2);
  assert.match(text, /Verification Flag {3}: UNVERIFIED/);
});

test('the same request gives the same bytes', () => {
  const [first, second] = [writeSr(randomSrRequest(8)).bytes, writeSr(randomSrRequest(8)).bytes];
  assert.ok(Buffer.from(first).equals(second));
});
