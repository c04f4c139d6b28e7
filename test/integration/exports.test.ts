import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AppError } from '../../server/src/errors/app-error.ts';
import { present } from '../../server/src/http/routes/corrections.ts';
import { exportHandler, resumeExports } from '../../server/src/jobs/exports.ts';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
import { encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import type { Registry } from '../../server/src/registry/registry.ts';
import { policyOf } from '../../server/src/round/policy.ts';
import { labelmapStorage, segmentationStorage } from '../../server/src/seg/encoding.ts';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import { type BlobStore, openBlobStore } from '../../server/src/store/blobs.ts';
import {
  type CorrectionRow,
  listStoringCorrections,
  markStored,
  readCorrection,
} from '../../server/src/store/corrections.ts';
import { readJob } from '../../server/src/store/job-progress.ts';
import { createPacs, type Pacs } from '../../server/src/study/dicomweb.ts';
import { parsePart10 } from '../../server/src/study/part10.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { ballSegment, makePhantom, makePhantomSeries } from '../fixtures/make-site.ts';
import { readWithPydicom, skipWithout } from '../fixtures/validators.ts';
import { startTestDatabase } from './database.ts';

describe('corrections that the PACS does not hold', { timeout: 120_000 }, () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  let queue: JobQueue;

  before(async () => {
    test = await startTestDatabase();
    queue = await createJobQueue(test.database, { log: createLog('silent'), metrics: createMetrics() });
  });
  after(async () => {
    await queue.stop();
    await test.close();
  });

  it('whose job has ended say so, and are stored by a new one, but by no second one while it is open', async () => {
    const { database } = test;
    const stored = await addCorrection(database, { seriesInstanceUid: '1.1', approvedSlices: ['a'] });
    await markStored(database, stored);
    await addCorrection(database, { seriesInstanceUid: '1.2', approvedSlices: ['b'] });
    const jobOf = async () => (await listStoringCorrections(database)).map((row) => row.exportJobId ?? 'none');

    await resumeExports(database, queue);
    const [first, ...none] = await jobOf();
    assert.deepEqual(none, []);
    assert.equal((await readJob(database, first ?? ''))?.state, 'queued');
    await resumeExports(database, queue);
    assert.deepEqual(await jobOf(), [first]);

    const [row] = await listStoringCorrections(database);
    assert.ok(row);
    const receiptNow = () =>
      present({ database, policy: policyOf({ correctionsPerRound: 1, roundGapMinutes: 0, roundsPerDay: 9 }) }, row);
    assert.deepEqual([(await receiptNow()).state, (await receiptNow()).error], ['storing', null]);
    await queue.cancel(first ?? '');
    const ended = await receiptNow();
    assert.deepEqual([ended.state, ended.error?.code], ['failed', 'job-cancelled']);
    assert.ok(ended.error?.hint);
    await resumeExports(database, queue);
    const [second] = await jobOf();
    assert.notEqual(second, first);
    assert.ok(second && (await readJob(database, second)));
  });
});

describe('the export of a correction', { timeout: 120_000 }, () => {
  const phantom = makePhantom(61);
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUids, files } = makePhantomSeries(phantom, 61, 'DOE-61');
  /** By modality. */
  const lastSent = new Map<string, Uint8Array>();
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  let orthanc: Orthanc;
  let pacs: Pacs;
  let blobs: BlobStore;
  let labelmapSha256: string;
  /** Modalities that were sent to the PACS. */
  const sent: string[] = [];
  /** What happens to the next store of a modality: it does not arrive, or its answer is lost. */
  let fault: { readonly modality: string; readonly arrives: boolean } | undefined;

  before(async () => {
    test = await startTestDatabase();
    orthanc = await startOrthanc({ home: test.home, log: () => undefined });
    pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 20, retries: 1 });
    blobs = await openBlobStore(join(test.home, 'blobs'));
    for (const file of files) await pacs.store(file);
    const [columns, rows] = phantom.image.geometry.size;
    const envelope = encodeEnvelope({ columns, rows, slices: sopInstanceUids }, phantom.truth);
    labelmapSha256 = await blobs.put(gzipSync(envelope));
    const store = pacs.store.bind(pacs);
    pacs.store = async (file, signal) => {
      const modality = parsePart10(file, 'test', true).string('x00080060') ?? '';
      sent.push(modality);
      lastSent.set(modality, file);
      const met = fault?.modality === modality ? fault : undefined;
      if (!met || met.arrives) await store(file, signal);
      if (!met) return;
      fault = undefined;
      throw new AppError('pacs-unreachable', 'The PACS went away.');
    };
  });
  after(async () => {
    await pacs?.close();
    await orthanc?.stop();
    await test?.close();
  });

  const correct = async (isOld = false): Promise<CorrectionRow> => {
    sent.length = 0;
    const approvedSlices = sopInstanceUids.slice(0, 5);
    const part = { studyInstanceUid, seriesInstanceUid, approvedSlices, labelmapSha256, isOld };
    const id = await addCorrection(test.database, part);
    return (await readCorrection(test.database, id)) ?? assert.fail();
  };
  const metrics = createMetrics();
  const run = (correctionId: string, type: 'BINARY' | 'LABELMAP' = 'BINARY') => {
    const segEncoding = { type, pixels: 'native' } as const;
    const card = { name: 'pool', version: 1, weights: { sha256: 'ab'.repeat(32) }, segments: [ballSegment] };
    const registry = { resolve: async () => ({ card }) } as unknown as Registry;
    const handle = exportHandler({
      database: test.database,
      registry,
      blobs,
      pacs,
      maxVoxels: 1e6,
      metrics,
      segEncoding,
    });
    const { signal } = new AbortController();
    return handle({ id: 'job', payload: { correctionId }, attempt: 0, signal, report: () => undefined });
  };
  /** As after a crash between the PACS's answer and the mark in the database. */
  const forgetStored = (id: string) =>
    test.database.query("update correction set state = 'storing' where id = $1", [id]);
  const stateOf = async (id: string) => (await readCorrection(test.database, id))?.state;
  const uidsIn = async (series: string | null) => {
    const found = await pacs.searchInstances({ studyInstanceUid, seriesInstanceUid: series ?? assert.fail() });
    return found.map(({ sopInstanceUid }) => sopInstanceUid);
  };
  const assertBothOnce = async (row: CorrectionRow) => {
    assert.equal(await stateOf(row.id), 'stored');
    assert.deepEqual(await uidsIn(row.segSeriesInstanceUid), [row.segSopInstanceUid]);
    assert.deepEqual(await uidsIn(row.srSeriesInstanceUid), [row.srSopInstanceUid]);
  };

  it('stores SEG and SR, which the PACS finds by modality; again, it stores nothing', async () => {
    const row = await correct();
    await run(row.id);
    assert.deepEqual(sent, ['SEG', 'SR']);
    await assertBothOnce(row);
    for (const [modality, uid] of [
      ['SEG', row.segSeriesInstanceUid],
      ['SR', row.srSeriesInstanceUid],
    ] as const) {
      const series = await pacs.searchSeries({ studyInstanceUid, modality });
      assert.deepEqual(
        series.map((found) => found.seriesInstanceUid),
        [uid],
      );
    }
    await run(row.id);
    await forgetStored(row.id);
    await run(row.id);
    assert.deepEqual(sent, ['SEG', 'SR']);
    await assertBothOnce(row);
  });

  it('names the SOP class that the SEG was stored with, also when the setting changed before the report', async () => {
    const row = await correct();
    fault = { modality: 'SR', arrives: false };
    await assert.rejects(run(row.id, 'LABELMAP'), { code: 'pacs-unreachable' });
    await run(row.id, 'BINARY');
    assert.deepEqual(sent, ['SEG', 'SR', 'SR']);
    await assertBothOnce(row);
    const [seg, sr] = ['SEG', 'SR'].map((modality) => Buffer.from(lastSent.get(modality) ?? []));
    assert.ok(seg?.includes(labelmapStorage));
    assert.ok(sr?.includes(labelmapStorage) && !sr.includes(`${segmentationStorage}\0`));
  });

  it('goes on where it was cut off: before the SR, or when an answer was lost', async () => {
    for (const [modality, arrives, stores] of [
      ['SEG', false, ['SEG', 'SEG', 'SR']],
      ['SEG', true, ['SEG', 'SR']],
      ['SR', false, ['SEG', 'SR', 'SR']],
      ['SR', true, ['SEG', 'SR']],
    ] as const) {
      const row = await correct();
      fault = { modality, arrives };
      await assert.rejects(run(row.id), { code: 'pacs-unreachable' });
      assert.equal(await stateOf(row.id), 'storing', 'not stored before both are there');
      await run(row.id);
      assert.deepEqual(sent, stores, `${modality}, arrived: ${arrives}`);
      await assertBothOnce(row);
    }
  });

  it('the SR holds the volume of the mask that the SEG shows', { skip: skipWithout('python3') }, async () => {
    const row = await correct();
    await run(row.id);
    const path = join(test.home, 'sr.dcm');
    const address = { studyInstanceUid, seriesInstanceUid: row.srSeriesInstanceUid ?? assert.fail() };
    for await (const file of pacs.retrieve(address)) await writeFile(path, file);
    const seen = readWithPydicom<{
      completion: string;
      groups: readonly { ml: number; seg: string; trackingUid: string }[];
    }>('read-sr.py', path);
    const voxels = phantom.truth.reduce((sum, label) => sum + label, 0);
    assert.deepEqual(
      seen.groups.map(({ ml, seg, trackingUid }) => ({ ml, seg, trackingUid })),
      [{ ml: (voxels * 2 * 2 * 4) / 1000, seg: row.segSopInstanceUid, trackingUid: row.trackingUid }],
    );
    assert.equal(seen.completion, 'PARTIAL', '5 of 12 slices');
  });

  it('a correction from before there were reports gets its SEG and none', async () => {
    const row = await correct(true);
    await run(row.id);
    assert.deepEqual(sent, ['SEG']);
    assert.equal(await stateOf(row.id), 'stored');
    const policy = policyOf({ correctionsPerRound: 1, roundGapMinutes: 0, roundsPerDay: 9 });
    assert.equal((await present({ database: test.database, policy }, row)).sr, null);
  });
});
