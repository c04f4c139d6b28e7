import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Receipt } from '../../server/src/http/contract.ts';
import { block } from '../fixtures/block.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { canary, type LoopWorld, openWorld } from '../fixtures/loop-world.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const { skip } = await findSampleRoot();

describe('series and masks that hold nothing', { skip }, () => {
  let world: LoopWorld;
  let proxy: FaultProxy;
  let start: () => Promise<LoopServer>;
  let server: LoopServer;
  let client: LoopClient;

  before(async () => {
    world = await openWorld();
    proxy = await startFaultProxy(world.orthanc.url);
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '1000',
      UNCOL_ROUND_STEPS: '4',
      UNCOL_ROUND_UNLABELLED_SLICES: '8',
      UNCOL_HELD_OUT_PERCENT: '0',
    };
    const pacs = { url: proxy.url, credentials: world.orthanc.credentials };
    start = () => startLoopServer({ ...world, pacs, environment });
    server = await start();
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await proxy?.close();
    await world?.close();
  });

  const pixels = 48 * 40;
  const store = async (name: string, value: (n: number) => number) => {
    const named = { PatientName: `${canary}^${name}`, PatientID: `${canary}-${name}` };
    const series = makeSeries(block(value), { attributes: () => named });
    for (const file of series.files) await world.pacs.store(file);
    return series;
  };
  const numbersOf = (value: unknown): readonly unknown[] =>
    typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersOf) : [value];
  const inService = async () => {
    const { body } = await client.get<{ models: { name: string; version: number; inService: boolean }[] }>(
      '/v1/models',
    );
    return body.models.find((one) => one.name === tinyName && one.inService)?.version;
  };

  it('are learnt from as what they are: a round of slices without contrast gives numbers and a verdict (S13)', async () => {
    // Zero slices at both ends, one of them with a single bright voxel.
    const series = await store('ZERO', (n) => {
      const k = Math.floor(n / pixels);
      if (k < 3 || k > 8) return n === 10 * pixels + 900 ? 4000 : 0;
      return (n % 48 > 12 && n % 48 < 36 ? 700 : 90) + ((n * 7919) % 53);
    });
    const { inference, mask } = await client.segment(series, tinyName);
    const zero = mask.slices.filter((uid) => [0, 1, 2, 9, 10, 11].includes(series.sopInstanceUids.indexOf(uid)));
    assert.equal(zero.length, 6);
    // The reader paints on them all the same.
    const labels = mask.labels.map((label, n) =>
      zero.includes(mask.slices[Math.floor(n / pixels)] ?? '') ? Number(n % 48 > 10 && n % 48 < 20) : label,
    );
    const { status } = await client.submit({ ...mask, labels }, { inferenceId: inference.id, approvedSlices: zero });
    assert.equal(status, 201);
    const started = await client.post<{ id: string }>('/v1/rounds', { model: tinyName });
    const round = await client.roundEnd(started.body.id);
    assert.equal(round.state, 'done', JSON.stringify(round.error));
    for (const value of numbersOf(round)) assert.ok(typeof value !== 'number' || Number.isFinite(value));
    assert.ok(Number.isFinite(round.verdict?.candidateDice) && Number.isFinite(round.verdict?.inServiceDice));
    assert.equal(await inService(), round.verdict?.outcome === 'promoted' ? 2 : 1, 'what did not pass does not serve');
  });

  it('are an answer: a model that finds nothing, accepted as it is, gives a valid SEG without voxels (S14)', async () => {
    const series = await store('EMPTY', (n) => (n === 5 * pixels + 900 ? 1000 : 0));
    const { inference, mask } = await client.segment(series, tinyName);
    assert.ok(mask.labels.every((label) => label === 0));
    assert.deepEqual(
      inference.segments.map(({ voxels, ml }) => [voxels, ml]),
      [[0, 0]],
    );
    const { status, body } = await client.submit(mask, { inferenceId: inference.id, kind: 'accepted' });
    assert.deepEqual([status, body.state, body.dice, body.changedVoxels], [201, 'stored', 1, 0], JSON.stringify(body));
    const { studyInstanceUid } = series;
    const [seg] = await readSegs(world.pacs, { studyInstanceUid, seriesInstanceUid: body.seg.seriesInstanceUid });
    assert.equal(seg?.segments.length, 1);
    assert.ok(seg.frames.length >= 1 && seg.frames.every(({ voxels }) => voxels.length === 0));
  });

  it('or that a PACS finds too large to take (413) are told, kept, and stored once when it takes them', async () => {
    const series = await store('LARGE', (n) => (n % 48 > 12 && n % 48 < 36 ? 700 : 90) + ((n * 7919) % 53));
    const { inference, mask } = await client.segment(series, tinyName);
    const labels = mask.labels.map((_, n) => Number(n % 48 > 15 && n % 48 < 30));
    const tooLarge = { kind: 'answer', status: 413, contentType: 'text/html', body: '<h1>413</h1>' } as const;
    proxy.setPlan((method) => (method === 'POST' ? tooLarge : undefined));
    const { status, body } = await client.submit({ ...mask, labels }, { inferenceId: inference.id });
    assert.equal(status, 201, JSON.stringify(body));
    const told = await client.until('its end', 20_000, async () => {
      const now = await client.get<Receipt>(`/v1/corrections/${body.id}`);
      return now.body.state === 'failed' ? now.body : undefined;
    });
    assert.equal(told.error?.code, 'pacs-object-too-large');
    assert.match(told.error?.hint ?? '', /^The correction is kept\. .*client_max_body_size/);
    proxy.setPlan(undefined);
    await server.stop();
    server = await start();
    client.url = server.url;
    const { seg } = await client.stored(body.id);
    assert.deepEqual(seg, body.seg);
    const address = { studyInstanceUid: series.studyInstanceUid, seriesInstanceUid: seg.seriesInstanceUid };
    assert.equal(await world.countInstances(address), 1);
    const [found] = await readSegs(world.pacs, address);
    assert.deepEqual(labelsOf(found ?? assert.fail(), mask.slices, pixels), labels);
  });
});
