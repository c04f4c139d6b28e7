import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { UncolClient } from '../../extension/src/api/client.ts';
import { Importer, isAnswered, type Saying } from '../../extension/src/service/importer.ts';
import { activeSeries, createSeriesState } from '../../extension/src/service/state.ts';
import { StateHolder } from '../../extension/src/service/state-holder.ts';
import { deriveUid } from '../../server/src/seg/uid.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { ballSegment, makePhantom, makePhantomSeg, makePhantomSeries } from '../fixtures/make-site.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const nothing: Saying = { structures: [], absent: [], resample: false, everySlice: false, acceptAutomatic: false };
const named: Saying = { ...nothing, structures: [{ from: '1', to: 'Brain' }] };

describe('a mask made elsewhere, handed in from the panel', { timeout: 120_000 }, () => {
  let server: ServerUnderTest;
  let relay: FaultProxy;
  const phantom = makePhantom(93);
  const series = makePhantomSeries(phantom, 93, 'DOE-93');
  const { studyInstanceUid, seriesInstanceUid } = series;
  const holder = new StateHolder();
  const ref = {
    ...{ studyInstanceUid, seriesInstanceUid, volume: null, displaySetInstanceUid: 'd' },
    ...{ modality: 'MR', description: '' },
  };
  let importer: Importer;
  let changes = 0;
  const now = () => activeSeries(holder.get())?.importing ?? assert.fail();
  const choosing = () => {
    const importing = now();
    return importing.phase === 'choosing' ? importing : assert.fail(JSON.stringify(importing));
  };
  const send = async (saying: Saying) => {
    await importer.send(choosing().masks[0] ?? assert.fail(), saying);
    return now();
  };

  before(async () => {
    server = await startServer({ UNCOL_HELD_OUT_PERCENT: '0', UNCOL_CORRECTIONS_PER_ROUND: '1000' });
    for (const file of series.files) await server.pacs.store(file);
    const state = { ...createSeriesState(ref), modelName: 'test-mr' };
    holder.set({ ...holder.get(), activeDisplaySetUid: 'd', series: { d: state } });
    relay = await startFaultProxy(server.url);
    const client = new UncolClient({ root: `${relay.url}/v1`, authorization: () => ({}) });
    importer = new Importer(client, holder, () => changes++);
  });
  after(async () => {
    await relay?.close();
    await server?.close();
  });

  it('is chosen from what the PACS holds of the study', async () => {
    await importer.look();
    assert.deepEqual(choosing().masks, []);
    const segment = { ...ballSegment, label: 'Hirn', type: { value: 'X1', scheme: '99ELSE', meaning: 'x' } };
    const options = { segment, algorithmType: 'AUTOMATIC', name: 'foreign' } as const;
    await server.pacs.store(makePhantomSeg(phantom, series, 93, options));
    await importer.look();
    assert.deepEqual(
      choosing().masks.map((mask) => [mask.seriesInstanceUid, mask.sopInstanceUid, mask.modality]),
      [[deriveUid('site seg series', 93, 'foreign'), deriveUid('site seg', 93, 'foreign'), 'SEG']],
    );
  });

  it('is refused with the reason while the model has drawn nothing, and the list stays', async () => {
    await send(named);
    assert.deepEqual([choosing().problem?.code, choosing().masks.length], ['inference-not-found', 1]);
    await new LoopClient(server.url).segment(series, 'test-mr');
  });

  it('is asked about, refused until somebody vouches for it, and then a correction that can be taken back', async () => {
    await send(nothing);
    const { open } = choosing();
    assert.deepEqual(
      [open?.structures.map(({ number, label }) => [number, label]), open?.missing, open?.segments],
      [[[1, 'Hirn']], ['Brain'], ['Brain']],
    );
    const leftOut: Saying = { ...nothing, structures: [{ from: '1', to: null }] };
    assert.deepEqual(
      [nothing, leftOut, named, { ...leftOut, absent: ['Brain'] }].map((saying) => isAnswered(open, saying)),
      [false, false, true, true],
    );
    await send(named);
    assert.deepEqual([choosing().problem?.code, choosing().open], ['import-automatic', open], 'what was asked stays');
    // The answer is lost: the same saying again is the same correction.
    relay.setPlan((method) => (method === 'POST' ? { kind: 'reset', afterBytes: 0 } : undefined));
    await send({ ...named, acceptAutomatic: true });
    assert.equal(choosing().problem?.code, 'server-unreachable');
    relay.setPlan(undefined);
    const received = await send({ ...named, acceptAutomatic: true });
    assert.ok(received.phase === 'received', JSON.stringify(received));
    assert.deepEqual(
      [received.receipt.imported?.structures, changes],
      [[{ number: 1, segment: 1, by: 'person', algorithmType: 'AUTOMATIC' }], 1],
    );

    await importer.look();
    await send({ ...named, acceptAutomatic: true });
    assert.equal(choosing().problem?.code, 'import-known', 'a new try is not the old one');
  });

  it('is taken back, and may be handed in anew', async () => {
    const mask = choosing().masks[0] ?? assert.fail();
    const [kept] = await server.database.query<{ id: string }>('select id from correction');
    await new LoopClient(server.url).post(`/v1/corrections/${kept?.id}/withdrawal`, { reason: 'test' });
    await importer.send(mask, { ...named, acceptAutomatic: true });
    assert.equal(now().phase, 'received');
    await importer.takeBack();
    const taken = now();
    assert.ok(taken.phase === 'received' && taken.receipt.withdrawn !== null && taken.problem === null);
    assert.equal(changes, 3);
    const nobody = new UncolClient({ root: 'http://127.0.0.1:9/v1', authorization: () => ({}) });
    await new Importer(nobody, holder, () => changes++).takeBack();
    const still = now();
    assert.ok(still.phase === 'received', 'the receipt stays');
    assert.deepEqual([still.receipt, still.problem?.code], [taken.receipt, 'server-unreachable']);
  });
});
