import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Receipt } from '../../server/src/http/contract.ts';
import type { OpenImport } from '../../server/src/http/contract-import.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { readCorrection } from '../../server/src/store/corrections.ts';
import type { SeriesAddress } from '../../server/src/study/pacs.ts';
import { type KeyedMask, LoopClient } from '../fixtures/loop-client.ts';
import { makeModel } from '../fixtures/make-model.ts';
import { makeSeries, type SliceAttributes } from '../fixtures/make-series.ts';
import { makePhantom, siteGeometry } from '../fixtures/make-site.ts';
import { complaints, python, readWithPydicom, skipWithout } from '../fixtures/validators.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

interface SeenSeg {
  readonly segments: readonly { label: string; meaning: string; trackingId: string; tracking: string }[];
  readonly patientName: string;
  readonly studyDescription: string;
  readonly seriesDescription: string;
  readonly contentDescription: string;
  readonly studyUid: string;
  readonly frames: readonly { readonly voxels: readonly number[] }[];
}
interface SeenSr {
  readonly patientName: string;
  readonly groups: readonly { readonly trackingId: string; readonly trackingUid: string }[];
}

describe('text and values of the source', { skip: skipWithout('python3', 'dciodvfy'), timeout: 180_000 }, () => {
  let server: ServerUnderTest;
  let client: LoopClient;
  let folder: string;
  const label = 'Größe мозга 脳 뇌';
  const meaning = 'Gehirn, größtenteils мозг';
  const named = 'named-mr';
  const longName = 'a-model-with-quite-a-long-name-indeed-mr'.slice(0, 40);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uncol-text-'));
    server = await startServer({ UNCOL_CORRECTIONS_PER_ROUND: '1000' });
    const type = { value: '12738006', scheme: 'SCT', meaning };
    await makeModel(join(server.home, 'seeds'), { name: named, segment: { label, type } });
    const longLabel = `Teil ${'a'.repeat(59)}`;
    await makeModel(join(server.home, 'seeds'), { name: longName, segment: { label: longLabel } });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  /** Stores a series, its text put into a character set by pydicom first where one is named. */
  const store = async (
    attributes: SliceAttributes,
    coded?: {
      readonly characterSet: string | readonly string[];
      readonly attributes: Readonly<Record<string, string>>;
    },
    studyInstanceUid?: string,
  ) => {
    const made = makeSeries(makePhantom(93).image, {
      attributes: () => attributes,
      ...(studyInstanceUid ? { studyInstanceUid } : {}),
    });
    const paths = made.files.map((_, k) => join(folder, `${k}.dcm`));
    await Promise.all(made.files.map((file, k) => writeFile(paths[k] ?? '', file)));
    if (coded) {
      const script = join(import.meta.dirname, '../fixtures/recode.py');
      execFileSync(python, ['-W', 'ignore', script], { input: JSON.stringify({ paths, ...coded }) });
    }
    for (const path of paths) await server.pacs.store(await readFile(path));
    return made;
  };
  /** The only object of a series, in a file. */
  const fetchOnly = async (address: SeriesAddress) => {
    const path = join(folder, 'object.dcm');
    for await (const file of server.pacs.retrieve(address)) await writeFile(path, file);
    return path;
  };
  /** Paints a block on a few slices that is another one each time. */
  const paint =
    (turn: number) =>
    (mask: KeyedMask): KeyedMask => ({
      ...mask,
      labels: mask.labels.map((_, n) => Number(n % 1600 > 600 && n % 1600 < 640 && Math.floor(n / 1600) > turn)),
    });

  for (const [characterSet, PatientName, StudyDescription] of [
    ['ISO_IR 192', 'Müller^Ганс=山田^太郎', 'Kopf, größer ☐'],
    ['ISO_IR 100', 'Müller^Jürgen', 'Schädel, größer'],
    ['ISO_IR 144', 'Люксембург^Роза', 'Череп'],
    [['', 'ISO 2022 IR 87'], 'Yamada^Tarou=山田^太郎=やまだ^たろう', '頭部'],
    [['', 'ISO 2022 IR 149'], 'Hong^Gildong=洪^吉洞=홍^길동', '머리'],
    ['GB18030', 'Wang^XiaoDong=王^小东', '头部'],
  ] as const) {
    it(`in ${[characterSet].flat().at(-1)} is the same code points after three corrections (S10)`, async () => {
      const made = await store({ PatientID: 'T-10' }, { characterSet, attributes: { PatientName, StudyDescription } });
      const { studyInstanceUid } = made;
      for (const turn of [1, 2, 3]) {
        const start = await client.start(made, named);
        assert.equal((await client.end(start.jobId)).state, 'done');
        const { body } = await client.get<{ segments: { label: string }[] }>(`/v1/inferences/${start.id}`);
        assert.equal(body.segments[0]?.label, label, 'REST');
        const drawn = paint(turn)(await client.mask(start.id));
        const { body: kept, status } = await client.submit(drawn, { inferenceId: start.id });
        assert.deepEqual([status, kept.state], [201, 'stored'], JSON.stringify(kept));
        const segPath = await fetchOnly({ studyInstanceUid, seriesInstanceUid: kept.seg.seriesInstanceUid });
        assert.equal(readSeg(await readFile(segPath)).segments[0]?.label, label, 'our own reader');
        const seg = readWithPydicom<SeenSeg>('read-seg.py', segPath);
        assert.deepEqual(complaints(segPath), []);
        const { tracking, ...text } = seg.segments[0] ?? assert.fail();
        assert.deepEqual([text.label, text.meaning, text.trackingId], [label, meaning, `${label} 1`]);
        assert.deepEqual([seg.patientName, seg.studyDescription], [PatientName, StudyDescription]);
        const srPath = await fetchOnly({ studyInstanceUid, seriesInstanceUid: kept.sr?.seriesInstanceUid ?? '' });
        const sr = readWithPydicom<SeenSr>('read-sr.py', srPath);
        assert.equal(sr.patientName, PatientName);
        assert.deepEqual(
          sr.groups.map((group) => [group.trackingId, group.trackingUid]),
          [[`${label} 1`, tracking]],
        );
      }
    });
  }

  for (const [characterSet, foreignLabel] of [
    ['ISO_IR 192', 'Größe Таламус 視床'],
    ['ISO_IR 100', 'Größe, thalamus à gauche'],
    ['ISO_IR 144', 'Таламус'],
  ] as const) {
    it(`of a foreign SEG in ${characterSet} are asked about as written, and slices without frames are not judged (S9, S10)`, async () => {
      const frameOfReferenceUid = `1.2.826.7.${characterSet.slice(-3)}`;
      const made = await store({ PatientID: 'T-9', FrameOfReferenceUID: frameOfReferenceUid });
      await client.segment(made, named);
      const seriesInstanceUid = `${made.seriesInstanceUid.slice(0, 40)}.9`;
      const uids = { studyInstanceUid: made.studyInstanceUid, seriesInstanceUid, frameOfReferenceUid };
      // On the first of these slices the frame shows nothing, which is a finding; between them nobody looked.
      const slices = [0, 3, 5, 8];
      const text = { characterSet, label: foreignLabel, patientId: 'T-9' };
      const input = JSON.stringify({
        ...{ ...siteGeometry, ...uids, ...text, slices, coarser: 1, sopInstanceUid: `${seriesInstanceUid}.1` },
      });
      const [object, truth] = [join(folder, 'foreign.dcm'), join(folder, 'truth.raw')];
      const script = join(import.meta.dirname, '../conformance/write-sparse-seg.py');
      execFileSync(python, ['-W', 'ignore', script, object, truth], { input });
      await server.pacs.store(await readFile(object));
      const ask = (structures: readonly object[]) =>
        client.call<OpenImport & Receipt>('POST', '/v1/imports', {
          headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
          body: JSON.stringify({
            ...{ studyInstanceUid: made.studyInstanceUid, seriesInstanceUid: made.seriesInstanceUid, model: named },
            ...{ object: { seriesInstanceUid }, structures },
          }),
        });
      const open = await ask([]);
      assert.deepEqual([open.status, open.body.structures?.[0]?.label], [200, foreignLabel], JSON.stringify(open.body));
      const { status, body } = await ask([{ from: foreignLabel, to: label }]);
      assert.deepEqual([status, body.approvedSlices], [201, slices.length], JSON.stringify(body));
      const row = (await readCorrection(server.database, body.id)) ?? assert.fail();
      assert.deepEqual([...row.approvedSlices].sort(), slices.map((k) => made.sopInstanceUids[k] ?? '').sort());
    });
  }

  it('that no object may hold are told before the network runs, and cost no mask (S11)', async () => {
    const studyInstanceUid = '1.2.826.0.1.03.4.5';
    const ofSource = {
      PatientName: `${'N'.repeat(70)}^TEST`,
      PatientID: 'T-11',
      AccessionNumber: '12345678901234567890',
      PatientWeight: '70,5',
      PatientAge: '45',
      StudyDescription: 'HEAD\\NECK',
      SeriesDescription: 'S'.repeat(80),
      LossyImageCompression: '01',
      LossyImageCompressionRatio: '12,5',
      LossyImageCompressionMethod: 'ISO_10918_1',
    };
    const made = await store(ofSource, undefined, studyInstanceUid);
    const { inference, mask } = await client.segment(made, longName);
    const drawn = paint(1)(mask);
    const { status, body: receipt } = await client.submit(drawn, { inferenceId: inference.id });
    assert.deepEqual([status, receipt.state], [201, 'stored'], JSON.stringify(receipt));
    const repaired = [
      ...['PatientName', 'AccessionNumber', 'PatientWeight', 'PatientAge'],
      ...['StudyDescription', 'LossyImageCompressionRatio'],
    ];
    const told = (notes: readonly string[]) =>
      repaired.filter((keyword) => notes.some((note) => note.includes(keyword)));
    assert.deepEqual(told(inference.notes), repaired, 'with the mask of the network');
    assert.deepEqual(told(receipt.notes), repaired, 'with the receipt');
    assert.equal(new Set(receipt.notes).size, receipt.notes.length, 'each once');
    assert.doesNotMatch(JSON.stringify([inference, receipt]), /NNNN|1234567890|70,5/);
    const path = await fetchOnly({ studyInstanceUid, seriesInstanceUid: receipt.seg.seriesInstanceUid });
    const seg = readWithPydicom<SeenSeg>('read-seg.py', path);
    assert.equal(seg.studyUid, studyInstanceUid);
    const painted = drawn.labels.reduce((sum, one) => sum + one, 0);
    assert.equal(
      seg.frames.reduce((sum, { voxels }) => sum + voxels.length, 0),
      painted,
    );
    for (const text of [seg.seriesDescription, seg.contentDescription, seg.segments[0]?.trackingId ?? ''])
      assert.ok(text.length <= 64 && text.length > 20, text);
    // Of the study's own UID it has to complain, and a ratio that is none has to be left out.
    const ownFaults = complaints(path).filter(
      (line) => !/Study ?Instance ?UID|contains invalid data|LossyImageCompressionRatio/.test(line),
    );
    assert.deepEqual(ownFaults, []);
  });

  it('that make any object impossible are refused before the network runs (S11)', async () => {
    const tooLong = { characterSet: 'ISO_IR 192', attributes: { FrameOfReferenceUID: `1.2.${'3'.repeat(70)}` } };
    for (const [made, seen] of [
      [await store({ PatientID: 'T-12' }, tooLong), /FrameOfReferenceUID has 74 characters/],
      [await store({ PatientID: 'T-12', FrameOfReferenceUID: undefined }), /no FrameOfReferenceUID/],
      [await store({ PatientID: 'T-12', FrameOfReferenceUID: '' }), /no FrameOfReferenceUID/],
    ] as const) {
      const { code, message } = await client.refusal(made, 'test-mr');
      assert.equal(code, 'series-not-writable', message);
      assert.match(message, seen);
    }
  });
});
