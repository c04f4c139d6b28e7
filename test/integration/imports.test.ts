import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type Problem, type Receipt, receipt } from '../../server/src/http/contract.ts';
import { type OpenImport, openImport } from '../../server/src/http/contract-import.ts';
import { decodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { deriveUid } from '../../server/src/seg/uid.ts';
import { openBlobStore } from '../../server/src/store/blobs.ts';
import { readCorrection } from '../../server/src/store/corrections.ts';
import type { Geometry } from '../../server/src/volume/geometry.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { makeRtStruct } from '../fixtures/make-rtstruct.ts';
import { encodeFile, type MadeSeries } from '../fixtures/make-series.ts';
import { ballSegment, makePhantom, makePhantomSeg, makePhantomSeries, siteGeometry } from '../fixtures/make-site.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const canary = 'CANARYBIRD';
const bin = fileURLToPath(new URL('../../server/bin/uncol.mjs', import.meta.url));

describe('masks that were made elsewhere', { timeout: 180_000 }, () => {
  let server: ServerUnderTest;
  let client: LoopClient;
  const phantom = makePhantom(91);
  const series = makePhantomSeries(phantom, 91, canary);
  const other = makePhantomSeries(makePhantom(92), 92, `${canary}-2`);
  const { studyInstanceUid, seriesInstanceUid } = series;
  const pixels = 40 * 40;

  before(async () => {
    server = await startServer({ UNCOL_HELD_OUT_PERCENT: '0', UNCOL_CORRECTIONS_PER_ROUND: '1000' });
    client = new LoopClient(server.url);
    for (const file of [...series.files, ...other.files]) await server.pacs.store(file);
  });
  after(() => server?.close());

  const brain = { ...ballSegment, label: 'Brain' };
  const foreign = { ...ballSegment, label: `Hirn ${canary}`, type: { value: 'X1', scheme: '99ELSE', meaning: 'x' } };
  /** Stores a SEG of the phantom. @returns what an import names it by. */
  const storeSeg = async (name: string, options: Parameters<typeof makePhantomSeg>[3] = {}, of = phantom) => {
    const file = makePhantomSeg(of, series, 91, { segment: brain, patientId: canary, name, ...options });
    await server.pacs.store(file);
    return { seriesInstanceUid: deriveUid('site seg series', 91, name) };
  };
  type Answer = Receipt & OpenImport & Problem;
  const send = (object: object, rest: object = {}, key: string = randomUUID()) =>
    client.call<Answer>('POST', '/v1/imports', {
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ studyInstanceUid, seriesInstanceUid, model: 'test-mr', object, ...rest }),
    });
  const refusal = async (object: object, rest: object = {}) => {
    const { status, body } = await send(object, rest);
    return [status, body.code];
  };
  const labelsOf = async (id: string) => {
    const row = (await readCorrection(server.database, id)) ?? assert.fail();
    const blobs = await openBlobStore(join(server.home, 'blobs'));
    const { head, labels } = decodeEnvelope(gunzipSync(await blobs.get(row.labelmapSha256)));
    assert.deepEqual((head as { slices: string[] }).slices, series.sopInstanceUids);
    return Uint8Array.from(labels);
  };
  const slicesWithMask = (labels: Uint8Array) =>
    series.sopInstanceUids.filter((_, k) => labels.subarray(k * pixels, (k + 1) * pixels).some((label) => label > 0));
  const seriesInStudy = async () => (await server.pacs.searchSeries({ studyInstanceUid })).length;
  const takeBack = (id: string) => client.post(`/v1/corrections/${id}/withdrawal`, { reason: 'test' });

  it('need an inference to be held against; the command makes it and imports', async () => {
    const object = await storeSeg('command');
    assert.deepEqual(await refusal(object), [404, 'inference-not-found']);
    const run = async (...more: string[]) => {
      const child = spawn(
        process.execPath,
        [bin, 'import', studyInstanceUid, seriesInstanceUid, object.seriesInstanceUid, ...more],
        { env: { PATH: process.env['PATH'], UNCOL_HOME: server.home } },
      );
      const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      return { out, err, code };
    };
    const made = await run('--model', 'test-mr', '--server', server.url, '--json');
    assert.equal(made.code, 0, made.err);
    const kept = receipt.parse(JSON.parse(made.out));
    assert.deepEqual([kept.state, kept.imported?.structures[0]?.by], ['stored', 'code']);
    const again = await run('--server', server.url);
    assert.deepEqual([again.code, again.err.split(':')[0]], [1, 'import-known']);
    const nobody = await run('--server', 'http://127.0.0.1:9');
    assert.deepEqual([nobody.code, nobody.err.split(':')[0]], [1, 'server-unreachable']);
    await takeBack(kept.id);
  });

  it('become corrections voxel for voxel, on the slices that they show, and nothing is stored in the PACS', async () => {
    const object = await storeSeg('exact');
    const before = await seriesInStudy();
    const key = randomUUID();
    const { status, body } = await send(object, {}, key);
    assert.equal(status, 201, JSON.stringify(body));
    receipt.parse(body);
    assert.deepEqual(await labelsOf(body.id), phantom.truth);
    const row = (await readCorrection(server.database, body.id)) ?? assert.fail();
    assert.deepEqual(row.approvedSlices, slicesWithMask(phantom.truth));
    assert.ok(row.approvedSlices.length < 12, 'slices without frames were not looked at');
    assert.deepEqual([body.state, body.sr, row.exportJobId, row.reader], ['stored', null, null, 'local']);
    assert.deepEqual(body.seg, {
      sopInstanceUid: deriveUid('site seg', 91, 'exact'),
      ...object,
      seriesDescription: '',
    });
    assert.deepEqual(body.imported?.structures, [
      { number: 1, segment: 1, by: 'code', algorithmType: 'SEMIAUTOMATIC' },
    ]);
    assert.deepEqual([body.imported?.resampled, body.imported?.everySlice], [false, false]);
    assert.equal(await seriesInStudy(), before);
    const [audit] = await server.database.query<{ object: Record<string, unknown> }>(
      `select object from audit where action = 'correction-imported' order by seq desc limit 1`,
    );
    assert.deepEqual(
      [audit?.object['correctionId'], audit?.object['sopInstanceUid']],
      [body.id, body.seg.sopInstanceUid],
    );

    assert.deepEqual((await send(object, {}, key)).body, body, 'the same request has the same answer');
    const changed = await send(object, { everySlice: true }, key);
    assert.deepEqual([changed.status, changed.body.code], [409, 'idempotency-conflict']);
    assert.deepEqual(await refusal(object), [409, 'import-known']);
    await takeBack(body.id);
    const anew = await Promise.all([send(object, { everySlice: true }), send(object, { everySlice: true })]);
    assert.deepEqual(anew.map((one) => one.status).sort(), [201, 409], 'of two at once one is kept');
    const whole = anew.find((one) => one.status === 201) ?? assert.fail();
    assert.equal(whole.body.approvedSlices, 12);
    await takeBack(whole.body.id);
  });

  it('are asked about where code and label say nothing, and nothing is dropped or kept meanwhile', async () => {
    const object = await storeSeg('named', { segment: foreign });
    const asked = await send(object);
    assert.equal(asked.status, 200);
    const open = openImport.parse(asked.body);
    assert.deepEqual(
      open.structures.map(({ number, label, type }) => [number, label, type?.value]),
      [[1, foreign.label, 'X1']],
    );
    assert.deepEqual([open.missing, open.segments], [['Brain'], ['Brain']]);
    client.answers.pop();
    assert.deepEqual(await refusal(object, { structures: [{ from: 'nobody', to: 'Brain' }] }), [
      422,
      'request-invalid',
    ]);
    const leftOut = await send(object, { structures: [{ from: '1', to: null }] });
    assert.deepEqual([leftOut.status, leftOut.body.missing], [200, ['Brain']]);
    const named = await send(object, { structures: [{ from: foreign.label, to: 'Brain' }] });
    assert.equal(named.status, 201, JSON.stringify(named.body));
    assert.equal(named.body.imported?.structures[0]?.by, 'person');
    assert.deepEqual(await labelsOf(named.body.id), phantom.truth);
    await takeBack(named.body.id);
    const retired = { ...foreign, type: { value: 'T-A0100', scheme: 'SRT', meaning: 'Brain' } };
    const known = await send(await storeSeg('retired', { segment: retired }));
    assert.deepEqual([known.status, known.body.imported?.structures[0]?.by], [201, 'code']);
    await takeBack(known.body.id);
  });

  it('that no reader has touched are taken only when somebody vouches for them', async () => {
    const object = await storeSeg('automatic', { algorithmType: 'AUTOMATIC' });
    assert.deepEqual(await refusal(object), [422, 'import-automatic']);
    const { status, body } = await send(object, { acceptAutomatic: true });
    assert.deepEqual([status, body.imported?.structures[0]?.algorithmType], [201, 'AUTOMATIC']);
    await takeBack(body.id);
  });

  it('on another grid are refused with what differs, or carried over by agreement, which the answer tells', async () => {
    const coarse: Geometry = { ...siteGeometry, size: [20, 20, 12], spacingMm: [4, 4, 4], origin: [-38, -38, -22] };
    const truth = new Uint8Array(20 * 20 * 12);
    for (const n of truth.keys()) {
      const [i, j, k] = [n % 20, Math.floor(n / 20) % 20, Math.floor(n / 400)];
      truth[n] = phantom.truth[(k * 40 + 2 * j) * 40 + 2 * i] ?? 0;
    }
    const image = { ...phantom.image, geometry: coarse };
    const object = await storeSeg('coarse', {}, { image, truth });
    const refused = await send(object);
    assert.deepEqual([refused.status, refused.body.code], [422, 'import-grid-differs']);
    assert.match(refused.body.detail, /its pixels are 4 mm apart where those of the image are 2 mm apart/);
    const { status, body } = await send(object, { resample: true });
    assert.deepEqual([status, body.imported?.resampled], [201, true]);
    assert.match(body.notes.join(), /nearest voxel: its pixels are 4 mm apart/);
    const labels = await labelsOf(body.id);
    let [both, sum] = [0, 0];
    for (const [n, label] of labels.entries()) {
      both += label & (phantom.truth[n] ?? 0);
      sum += label + (phantom.truth[n] ?? 0);
    }
    assert.ok((2 * both) / sum > 0.9, `Dice ${(2 * both) / sum}`);
    await takeBack(body.id);
  });

  it('of another study, series or frame of reference, or what is no mask, are refused', async () => {
    const of = (made: MadeSeries, frame: number) => ({
      studyInstanceUid,
      seriesInstanceUid: made.seriesInstanceUid,
      frameOfReferenceUid: deriveUid('site frame', frame),
      patientId: canary,
    });
    const corners = [
      [10, 10],
      [20, 10],
      [20, 20],
    ] as const;
    const region = { number: 1, name: 'brain', contours: [{ slice: 4, corners }] };
    const objects: { seriesInstanceUid: string }[] = [];
    for (const [n, [made, frame]] of (
      [
        [other, 91],
        [series, 92],
      ] as const
    ).entries()) {
      const uids = { SOPInstanceUID: deriveUid('rt', n), SeriesInstanceUID: deriveUid('rt series', n) };
      await server.pacs.store(makeRtStruct(siteGeometry, of(made, frame), [region], uids));
      objects.push({ seriesInstanceUid: uids.SeriesInstanceUID });
    }
    for (const [object, message] of [
      [objects[0], /refers to another series/],
      [objects[1], /another frame of reference/],
    ] as const) {
      const { status, body } = await send(object ?? assert.fail());
      assert.deepEqual([status, body.code, message.test(body.detail)], [422, 'import-elsewhere', true], body.detail);
    }
    assert.deepEqual(await refusal({ seriesInstanceUid }), [422, 'import-not-a-mask'], 'several objects');
    const [sopInstanceUid] = series.sopInstanceUids;
    assert.deepEqual(await refusal({ seriesInstanceUid, sopInstanceUid }), [422, 'import-not-a-mask'], 'an image');
    assert.deepEqual(await refusal({ seriesInstanceUid: '1.2.3' }), [404, 'series-not-found']);
    assert.deepEqual(await refusal({ seriesInstanceUid: 'x' }), [422, 'request-invalid']);
  });

  it('of contours become corrections of the pixels that they enclose', async () => {
    const ring = [8, 32] as const;
    const square = ([low, high]: readonly [number, number]) =>
      [
        [low, low],
        [high, low],
        [high, high],
        [low, high],
      ] as const;
    const uids = { SOPInstanceUID: deriveUid('rt', 9), SeriesInstanceUID: deriveUid('rt series', 9) };
    const contours = [3, 4].flatMap((slice) => [
      { slice, corners: square(ring) },
      { slice, corners: square([15, 20]) },
    ]);
    const file = makeRtStruct(
      siteGeometry,
      { studyInstanceUid, seriesInstanceUid, frameOfReferenceUid: deriveUid('site frame', 91), patientId: canary },
      [
        { number: 5, name: 'BRAIN', contours },
        { number: 6, name: 'Marker', contours: [{ slice: 0.5, corners: [[1, 1]], type: 'POINT' }] },
      ],
      uids,
    );
    await server.pacs.store(file);
    const object = { seriesInstanceUid: uids.SeriesInstanceUID, sopInstanceUid: uids.SOPInstanceUID };
    const { status, body } = await send(object, { structures: [{ from: 'marker', to: null }] });
    assert.equal(status, 201, JSON.stringify(body));
    const labels = await labelsOf(body.id);
    const expected = phantom.truth.map((_, n) => {
      const [i, j, k] = [n % 40, Math.floor(n / 40) % 40, Math.floor(n / 1600)];
      const isIn = ([low, high]: readonly [number, number]) => i >= low && i < high && j >= low && j < high;
      return Number((k === 3 || k === 4) && isIn(ring) && !isIn([15, 20]));
    });
    assert.deepEqual(labels, expected);
    assert.equal(body.approvedSlices, 2);
    assert.deepEqual(
      body.imported?.structures.map(({ number, segment, by }) => [number, segment, by]),
      [
        [5, 1, 'label'],
        [6, 0, 'person'],
      ],
    );
    await takeBack(body.id);
  });

  it('damaged on the way are refused, and no name of a patient comes out', async () => {
    const truncated = encodeFile({
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.66.4',
      SOPInstanceUID: '2.25.77',
      SeriesInstanceUID: '2.25.78',
      StudyInstanceUID: studyInstanceUid,
      PatientID: canary,
      Modality: 'SEG',
      SegmentationType: 'BINARY',
    });
    await server.pacs.store(truncated);
    assert.deepEqual(await refusal({ seriesInstanceUid: '2.25.78' }), [422, 'instance-unreadable']);
    for (const said of [...client.answers, ...server.logLines]) assert.doesNotMatch(said, RegExp(canary));
    const kept = await server.database.query<{ row: string }>('select correction::text as row from correction');
    assert.ok(kept.length >= 6);
    for (const { row } of kept) assert.doesNotMatch(row, RegExp(canary));
  });
});
