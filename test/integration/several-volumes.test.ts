import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Pool } from '../../server/src/http/contract-learning.ts';
import type { Worklist } from '../../server/src/http/contract-worklist.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { insertExclusion } from '../../server/src/store/exclusions.ts';
import { readFacts } from '../../server/src/worklist/facts.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { addPrediction } from '../fixtures/add-prediction.ts';
import { type KeyedMask, LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { canary, type LoopWorld, openWorld } from '../fixtures/loop-world.ts';
import { type MadeVolumes, makeEchoes } from '../fixtures/make-volumes.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';
import { startTestDatabase } from './database.ts';

const { skip } = await findSampleRoot();

const seriesOf = ({ studyInstanceUid, seriesInstanceUid }: MadeVolumes) => ({ studyInstanceUid, seriesInstanceUid });

describe('the loop on two echoes in one series', { skip }, () => {
  let world: LoopWorld;
  let server: LoopServer;
  let client: LoopClient;
  let made: MadeVolumes;
  let truth: Uint8Array;
  const volumeOf = (n: number) => ({ ...made, volume: made.volumes[n]?.name ?? '' });
  const slicesOf = (n: number) => made.volumes[n]?.slices ?? [];
  /** The truth on the slices of a mask, whichever echo they are of. */
  const draw = (mask: KeyedMask): KeyedMask => {
    const pixels = mask.rows * mask.columns;
    const labels = new Uint8Array(mask.labels.length);
    for (const [k, id] of mask.slices.entries()) {
      const from = Math.max(slicesOf(0).indexOf(id), slicesOf(1).indexOf(id)) * pixels;
      labels.set(truth.subarray(from, from + pixels), k * pixels);
    }
    return { ...mask, labels };
  };
  const pool = async () => (await client.get<Pool>(`/v1/pool?model=${tinyName}`)).body;
  const itemOf = async () => {
    const { body } = await client.get<Worklist>(`/v1/worklist?model=${tinyName}`);
    const found = body.items.find(({ studyInstanceUid }) => studyInstanceUid === made.studyInstanceUid);
    return [found?.state, found?.volume, found?.conflict];
  };

  before(async () => {
    world = await openWorld();
    const options = { seed: 705, task: 'brain', variation: 'sample', plane: 'axial', spacingMm: [4, 4, 4] } as const;
    const subject = generateSubject(world.colin, options);
    truth = subject.truth;
    made = makeEchoes(subject.volume, 'two echoes', { PatientName: `${canary}^705`, PatientID: `${canary}-705` });
    for (const file of made.files) await world.pacs.store(file);
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '2',
      UNCOL_ROUND_STEPS: '4',
      UNCOL_ROUND_UNLABELLED_SLICES: '0',
      UNCOL_HELD_OUT_PERCENT: '0',
      UNCOL_WORKLIST_AHEAD: '0',
    };
    server = await startLoopServer({ ...world, pacs: world.orthanc, environment });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await world?.close();
  });

  it('refuses the series, naming its volumes, and a volume that it does not hold', async () => {
    const { code, message, seen } = await client.refusal(seriesOf(made));
    assert.equal(code, 'series-several-volumes');
    assert.match(message, /^The series holds 2 volumes of \d+ slices: EchoTime=4\.6; EchoTime=30\.$/);
    assert.deepEqual(seen, { volumes: ['EchoTime=4.6', 'EchoTime=30'] });
    assert.deepEqual(await itemOf(), ['new', null, false]);
    const other = await client.refusal({ ...made, volume: 'EchoTime=7' });
    assert.deepEqual([other.code, other.seen], [code, seen]);
    const body = { ...seriesOf(made), volume: 'MÜLLER^ANNA' };
    const named = await client.post<{ code: string }>('/v1/inferences', body);
    assert.deepEqual([named.status, named.body.code], [422, 'request-invalid']);
  });

  it('segments each on its own slices, as a case of its own', async () => {
    const first = await client.segment(volumeOf(0));
    const second = await client.segment(volumeOf(1));
    assert.deepEqual(first.mask.slices, slicesOf(0));
    assert.deepEqual(second.mask.slices, slicesOf(1));
    assert.equal(second.inference.series.volume, 'EchoTime=30');
    assert.notEqual(first.inference.trackingUid, second.inference.trackingUid);
    assert.equal((await client.segment(volumeOf(1))).inference.trackingUid, second.inference.trackingUid);
    assert.deepEqual(await itemOf(), ['segmented', 'EchoTime=30', false]);
  });

  it('stores a correction that refers to the slices of its volume alone, and leaves out, takes in, takes back', async () => {
    const { studyInstanceUid, seriesInstanceUid } = made;
    const { drawn, receipt } = await client.correct(volumeOf(0), draw);
    await client.stored(receipt.id);
    const address = { studyInstanceUid, seriesInstanceUid: receipt.seg.seriesInstanceUid };
    const [seg] = await readSegs(world.pacs, address);
    assert.ok(seg);
    assert.ok(Buffer.from(labelsOf(seg, drawn.slices, drawn.rows * drawn.columns)).equals(drawn.labels));
    for (const series of [address, { studyInstanceUid, seriesInstanceUid: receipt.sr?.seriesInstanceUid ?? '' }]) {
      for await (const file of world.pacs.retrieve(series)) {
        const text = Buffer.from(file).toString('latin1');
        assert.ok(slicesOf(0).some((uid) => text.includes(uid)));
        assert.ok(!slicesOf(1).some((uid) => text.includes(uid)));
      }
    }
    assert.deepEqual([(await pool()).labelledStudies, await itemOf()], [1, ['corrected', 'EchoTime=4.6', false]]);

    const headers = { 'content-type': 'application/json', 'idempotency-key': 'as-the-other-echo' };
    const object = { seriesInstanceUid: receipt.seg.seriesInstanceUid };
    const body = JSON.stringify({ ...seriesOf(made), volume: 'EchoTime=30', model: tinyName, object });
    const imported = await client.call<{ code: string }>('POST', '/v1/imports', { headers, body });
    assert.deepEqual([imported.status, imported.body.code], [422, 'import-elsewhere'], JSON.stringify(imported.body));

    const exclusion = { model: tinyName, ...seriesOf(made), reason: 'another volume is meant' };
    await client.post('/v1/exclusions', { ...exclusion, volume: 'EchoTime=30' });
    assert.deepEqual([(await pool()).labelledStudies, await itemOf()], [1, ['corrected', 'EchoTime=4.6', false]]);
    await client.post('/v1/exclusions', { ...exclusion, volume: 'EchoTime=4.6' });
    assert.deepEqual([(await pool()).labelledStudies, (await itemOf())[0]], [0, 'excluded']);
    for (const { name } of made.volumes) {
      const query = new URLSearchParams({ model: tinyName, seriesInstanceUid, volume: name });
      assert.equal((await client.delete(`/v1/exclusions?${query}`)).status, 200);
    }
    assert.equal((await pool()).labelledStudies, 1);

    await client.post(`/v1/corrections/${receipt.id}/withdrawal`, { reason: 'the other echo' });
    assert.deepEqual([(await pool()).labelledStudies, await itemOf()], [0, ['segmented', 'EchoTime=4.6', false]]);
  });

  it('a round learns from both volumes', async () => {
    const some = (slices: readonly string[]) => slices.slice(12, 24);
    for (const n of [0, 1]) await client.correct(volumeOf(n), draw, some);
    const [round] = await client.rounds(tinyName);
    const ended = await client.roundEnd(round?.id ?? '');
    assert.equal(ended.state, 'done', JSON.stringify(ended.error));
    assert.equal(ended.labelledSlices, 24);
    assert.equal((await pool()).labelledStudies, 2);
    assert.ok(!client.answers.some((answer) => answer.includes(canary) && !answer.includes('"items"')));
  });
});

describe('a case whose series holds several volumes', () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  const model = { name: 'pool', version: 1 };
  const series = { studyInstanceUid: '1.2', seriesInstanceUid: '1.2.1' };

  before(async () => {
    test = await startTestDatabase();
  });
  after(() => test?.close());

  it('is worked through the volume answered last, else drawn last; readers of two volumes do not disagree', async () => {
    const { database } = test;
    const known = async () => {
      const { masks, answers, excluded } = await readFacts(database, model);
      const uid = series.seriesInstanceUid;
      const answer = answers.get(uid);
      return [masks.get(uid)?.volume, answer?.volume, answer?.isConflict, excluded.has(uid)];
    };
    const segment = (volume: string) =>
      addPrediction(database, { ...series, volume, model: model.name, modelVersion: 1 }, {});
    const answer = (volume: string, reader: string) =>
      addCorrection(database, { ...series, volume, reader, approvedSlices: ['a'] });
    const exclude = (volume: string) =>
      insertExclusion(database, { modelName: model.name, ...series, volume, actor: 'x', reason: 'motion' });
    for (const volume of ['b=0', 'b=1000']) await segment(volume);
    assert.deepEqual(await known(), ['b=1000', undefined, undefined, false]);
    await answer('b=0', 'anna');
    assert.deepEqual(await known(), ['b=0', 'b=0', false, false]);
    await answer('b=1000', 'ben');
    assert.deepEqual(await known(), ['b=1000', 'b=1000', false, false]);
    await answer('b=1000', 'anna');
    assert.deepEqual(await known(), ['b=1000', 'b=1000', true, false]);
    await exclude('b=1000');
    assert.deepEqual(await known(), ['b=0', 'b=0', false, false]);
    await exclude('');
    assert.equal((await known())[3], true);
  });
});
