import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import dcmjs from 'dcmjs';
import { encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { startOrthanc } from '../../server/src/setup/orthanc.ts';
import type { SeriesAddress } from '../../server/src/study/pacs.ts';
import { block } from '../fixtures/block.ts';
import { type KeyedMask, LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { canary, type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { encodeFile, makeSeries, type SeriesOptions } from '../fixtures/make-series.ts';
import { truthOn } from '../fixtures/masks.ts';
import { type PacsFront, startPacsFront } from '../fixtures/pacs-front.ts';
import { readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';

const { skip } = await findSampleRoot();

describe('bad input to the loop', { skip }, () => {
  let world: LoopWorld;
  let front: PacsFront;
  let server: LoopServer;
  let client: LoopClient;
  let subject: StoredSubject;
  let made: { readonly id: string };
  let mask: KeyedMask;

  before(async () => {
    world = await openWorld();
    subject = await world.addSubject(601);
    front = await startPacsFront(world.orthanc);
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '1000',
      UNCOL_ROUND_STEPS: '4',
      UNCOL_ROUND_UNLABELLED_SLICES: '0',
      UNCOL_HELD_OUT_PERCENT: '0',
      UNCOL_MAX_VOXELS: '1000000',
      UNCOL_PACS_RETRIES: '1',
      UNCOL_PACS_IDLE_SECONDS: '5',
    };
    const pacs = { url: front.url, credentials: world.orthanc.credentials };
    server = await startLoopServer({ ...world, pacs, environment });
    client = new LoopClient(server.url);
    const segmented = await client.segment(subject);
    made = segmented.inference;
    mask = segmented.mask;
  });
  after(async () => {
    await server?.stop();
    await front?.close();
    await world?.close();
  });

  /** Stores a series made of a block with something wrong in it. */
  const store = async (options: SeriesOptions, leaveOut: readonly number[] = [], volume = block()) => {
    const named = { PatientName: `${canary}^BAD`, PatientID: `${canary}-BAD` };
    const series = makeSeries(volume, { ...options, attributes: (k) => ({ ...named, ...options.attributes?.(k) }) });
    for (const [k, file] of series.files.entries()) if (!leaveOut.includes(k)) await world.pacs.store(file);
    return series;
  };
  const at = (k: number, mm: number) => ({ ImagePositionPatient: ['-96', '-80', String(-24 + 4 * k + mm)] });

  const allButOne = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11];
  /** A Basic Text SR. */
  const storeReport = async (): Promise<SeriesAddress> => {
    const { uid } = dcmjs.data.DicomMetaDictionary;
    const address = { studyInstanceUid: uid(), seriesInstanceUid: uid() };
    const report = {
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.11',
      SOPInstanceUID: uid(),
      StudyInstanceUID: address.studyInstanceUid,
      SeriesInstanceUID: address.seriesInstanceUid,
      Modality: 'SR',
      PatientName: `${canary}^REPORT`,
      PatientID: `${canary}-SR`,
      ValueType: 'CONTAINER',
    };
    await world.pacs.store(encodeFile(report));
    return address;
  };

  describe('as the series of an inference', () => {
    const cases: readonly [string, string, RegExp, () => Promise<SeriesAddress>][] = [
      [
        'a series that the PACS does not hold',
        'series-not-found',
        /./,
        async () => ({ studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.3.4' }),
      ],
      ['a CT for the MR model', 'series-modality-mismatch', /MR.*CT/, () => store({ modality: 'CT' })],
      [
        'a single localizer',
        'series-not-image',
        /localizer/,
        () => store({ attributes: () => ({ ImageType: ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }) }, allButOne),
      ],
      ['a single slice', 'series-too-few-slices', /has 1 slice/, () => store({}, allButOne)],
      ['a report', 'series-not-image', /./, storeReport],
      ['a series without its slices 5 and 6', 'series-missing-slices', /12|2/, () => store({}, [5, 6])],
      [
        'two different slices at one position',
        'series-duplicate-slices',
        /both lie at -8/,
        () => store({ attributes: (k) => (k === 5 ? at(4, 0) : {}) }),
      ],
      [
        'a slice that lies 2.5 mm off',
        'series-uneven-spacing',
        /1\.50 to 6\.50 mm/,
        () => store({ attributes: (k) => (k === 6 ? at(6, 2.5) : {}) }),
      ],
      [
        'an instance that lacks a part of its pixels',
        'instance-unreadable',
        /\d/,
        () => store({ attributes: (k) => (k === 3 ? { PixelData: new Int16Array(48 * 40 - 5).buffer } : {}) }),
      ],
      [
        'a series without contrast',
        'series-no-contrast',
        /./,
        () =>
          store(
            {},
            [],
            block(() => 100),
          ),
      ],
      [
        'a series of more voxels than allowed',
        'image-too-large',
        /\d/,
        () => store({ attributes: () => ({ Rows: 300, Columns: 300, PixelData: new ArrayBuffer(180_000) }) }),
      ],
    ];
    for (const [name, code, seen, make] of cases) {
      it(`refuses ${name} as ${code}`, async () => {
        const refusal = await client.refusal(await make(), tinyName);
        assert.equal(refusal.code, code, refusal.message);
        assert.match(refusal.message, seen);
      });
    }

    it('segments a series with zero slices at its ends and one bright voxel without NaN', async () => {
      const pixels = block().geometry.size[0] * block().geometry.size[1];
      const value = (n: number) => {
        const k = Math.floor(n / pixels);
        if (k < 3 || k > 9) return n === 10 * pixels + 900 ? 4000 : 0;
        return (n % 48 > 12 && n % 48 < 36 ? 700 : 90) + ((n * 7919) % 53);
      };
      const { inference, mask: answer } = await client.segment(await store({}, [], block(value)), tinyName);
      assert.ok(Number.isFinite(inference.uncertainty) && inference.segments.every(({ ml }) => Number.isFinite(ml)));
      assert.ok(
        answer.labels.subarray(0, 3 * pixels).every((label) => label === 0),
        'zero slices are background',
      );
    });
  });

  describe('as a correction', () => {
    const changed = (change: Partial<KeyedMask>): KeyedMask => ({ ...mask, ...change });
    const labels = (value: number) => new Uint8Array(mask.labels.length).fill(value);

    it('refuses another geometry', async () => {
      const head = { inferenceId: made.id };
      const other = changed({ columns: mask.rows, rows: mask.columns });
      const foreign = changed({ slices: mask.slices.map((_, k) => `1.2.3.${k + 1}`) });
      const fewer = changed({ slices: mask.slices.slice(1), labels: mask.labels.subarray(mask.rows * mask.columns) });
      const short = changed({ labels: mask.labels.subarray(7) });
      const double = changed({ slices: mask.slices.map((uid, k) => (k === 1 ? (mask.slices[0] ?? '') : uid)) });
      for (const bad of [...(mask.rows === mask.columns ? [] : [other]), foreign, fewer, short, double]) {
        const { status, body } = await client.submit(bad, { ...head, approvedSlices: [...bad.slices] });
        assert.deepEqual([status, body.code], [422, 'correction-geometry-mismatch'], body.detail);
      }
    });

    it('refuses a segment that the model does not have, naming it', async () => {
      const { status, body } = await client.submit(changed({ labels: labels(7) }), { inferenceId: made.id });
      assert.deepEqual([status, body.code], [422, 'correction-segment-unknown']);
      assert.match(body.detail, /7/);
    });

    it('refuses an unknown inference, one that failed, and a slice of elsewhere as vouched for', async () => {
      const unknown = await client.submit(mask, { inferenceId: randomUUID() });
      assert.deepEqual([unknown.status, unknown.body.code], [404, 'inference-not-found']);
      const failed = await client.start({ studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.3.4' }, tinyName);
      await client.end(failed.jobId);
      const early = await client.submit(mask, { inferenceId: failed.id });
      assert.deepEqual([early.status, early.body.code], [409, 'inference-not-ready']);
      const foreign = await client.submit(mask, { inferenceId: made.id, approvedSlices: ['1.2.3.4.5'] });
      assert.deepEqual([foreign.status, foreign.body.code], [422, 'correction-empty-approval']);
    });

    it('refuses as accepted what was changed', async () => {
      const { body } = await client.submit(changed({ labels: labels(1) }), { inferenceId: made.id, kind: 'accepted' });
      assert.equal(body.code, 'request-invalid');
      assert.match(body.detail, /unchanged/);
    });

    it('refuses what cannot be read: cut off, a bomb, another type, no key, a head that is none', async () => {
      const whole = { kind: 'edited', inferenceId: made.id, approvedSlices: mask.slices, columns: mask.columns };
      const body = gzipSync(encodeEnvelope({ ...whole, rows: mask.rows, slices: mask.slices }, mask.labels));
      const answers = [
        ['request-invalid', 422, await client.submitBytes(body.subarray(0, body.length >> 1))],
        ['request-too-large', 413, await client.submitBytes(gzipSync(new Uint8Array(64_000_000)))],
        ['not-allowed', 403, await client.submitBytes(body, randomUUID(), { 'content-type': 'text/plain' })],
        ['request-invalid', 422, await client.submitBytes(body, randomUUID(), { 'content-type': 'application/json' })],
        ['request-invalid', 422, await client.submitBytes(body, 'short')],
        ['request-invalid', 422, await client.submitBytes(gzipSync(encodeEnvelope({ ...whole, extra: 1 }, labels(0))))],
        ['request-invalid', 422, await client.submitBytes(gzipSync(Buffer.from('no envelope at all')))],
        ['request-invalid', 422, await client.submitBytes(Buffer.from('not what gzip writes'))],
      ] as const;
      for (const [n, [code, status, answer]] of answers.entries())
        assert.deepEqual([answer.body.code, answer.status], [code, status], `${n}: ${answer.body.detail}`);
    });

    it('answers the same key with the same correction and one SEG, also twice at once', async () => {
      const key = randomUUID();
      const head = { inferenceId: made.id };
      const drawn = truthOn(mask, subject);
      const before = await world.pacs.searchSeries({ studyInstanceUid: subject.studyInstanceUid, modality: 'SEG' });
      const both = await Promise.all([client.submit(drawn, head, key), client.submit(drawn, head, key)]);
      const again = await client.submit(drawn, head, key);
      for (const { status, body } of [...both, again]) {
        assert.deepEqual([status, body.id, body.state], [201, again.body.id, 'stored']);
        assert.deepEqual(body.seg, again.body.seg);
      }
      const other = await client.submit(mask, head, key);
      assert.deepEqual([other.status, other.body.code], [409, 'idempotency-conflict']);
      const segs = await world.pacs.searchSeries({ studyInstanceUid: subject.studyInstanceUid, modality: 'SEG' });
      assert.equal(segs.length, before.length + 1);
      const address = {
        studyInstanceUid: subject.studyInstanceUid,
        seriesInstanceUid: again.body.seg.seriesInstanceUid,
      };
      assert.equal(await world.countInstances(address), 1);
      assert.equal((await client.refusal(address, tinyName)).code, 'series-not-image', 'a SEG is no source');
      const jobs = await server.database.query<{ n: number }>(
        `select count(*)::int as n from job_progress where kind = 'export' and state <> 'done'`,
      );
      assert.equal(jobs[0]?.n, 0, 'the request that came second left nothing behind');
    });
  });

  it('takes an erased mask as a finding: a valid SEG without voxels, and a round of nothing else', async () => {
    const answer = await client.submit(
      { ...mask, labels: new Uint8Array(mask.labels.length) },
      { inferenceId: made.id },
    );
    assert.deepEqual([answer.status, answer.body.state, answer.body.dice], [201, 'stored', 0]);
    assert.equal(answer.body.changedVoxels, mask.labels.filter((label) => label > 0).length);
    const address = {
      studyInstanceUid: subject.studyInstanceUid,
      seriesInstanceUid: answer.body.seg.seriesInstanceUid,
    };
    const [seg] = await readSegs(world.pacs, address);
    assert.equal(seg?.segments.length, 1);
    assert.ok(seg.frames.length >= 1 && seg.frames.every((frame) => frame.voxels.length === 0));
    const started = await client.post<{ id: string }>('/v1/rounds', { model: tinyName });
    assert.equal(started.status, 202);
    const round = await client.roundEnd(started.body.id);
    assert.equal(round.state, 'done', JSON.stringify(round.error));
    assert.ok(round.labelledSlices > 0);
    assert.ok(Number.isFinite(round.verdict?.candidateDice) && Number.isFinite(round.verdict?.inServiceDice));
  });

  it('says what is wrong with a request for a round', async () => {
    const unknown = await client.post<{ code: string }>('/v1/rounds', { model: 'no-such-model' });
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'model-not-found']);
  });

  describe('while the PACS is down', () => {
    it('refuses an inference, takes a correction in, and stores its SEG once the PACS is back', async () => {
      front.orthanc = null;
      await world.orthanc.stop();
      assert.equal((await client.refusal(subject, tinyName)).code, 'pacs-unreachable');
      const ready = await client.get<{ ready: boolean; parts: Record<string, boolean> }>('/readyz');
      assert.deepEqual([ready.status, ready.body.parts['pacs'], ready.body.parts['database']], [503, false, true]);
      const key = randomUUID();
      const kept = await client.submit(truthOn(mask, subject), { inferenceId: made.id }, key);
      assert.deepEqual([kept.status, kept.body.state], [201, 'storing'], JSON.stringify(kept.body));
      front.orthanc = await startOrthanc({ home: world.pacsFolder, log: () => undefined });
      world.replaceOrthanc(front.orthanc);
      const stored = await client.stored(kept.body.id);
      assert.deepEqual(stored.seg, kept.body.seg);
      const address = { studyInstanceUid: subject.studyInstanceUid, seriesInstanceUid: stored.seg.seriesInstanceUid };
      assert.equal(await world.countInstances(address), 1);
      assert.equal((await client.submit(truthOn(mask, subject), { inferenceId: made.id }, key)).body.id, kept.body.id);
    });
  });

  it('lets no name of a patient out', async () => {
    assert.ok(client.answers.length > 50);
    assert.ok(!client.answers.some((text) => text.includes(canary)));
    assert.ok(!(await world.readLog()).includes(canary));
  });
});
