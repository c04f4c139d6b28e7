import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { block } from '../fixtures/block.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { type LoopWorld, openWorld } from '../fixtures/loop-world.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';

const { skip } = await findSampleRoot();

describe('a series of thin and thick slices', { skip }, () => {
  let world: LoopWorld;
  let server: LoopServer;
  let client: LoopClient;

  before(async () => {
    world = await openWorld();
    const { url, credentials } = world.orthanc;
    server = await startLoopServer({ ...world, pacs: { url, credentials }, environment: {} });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await world?.close();
  });

  /** Six slices of 4 mm, then six of 6 mm: how far slice k lies beyond its place in a stack of 4 mm. */
  const moved = (k: number) => 2 * Math.max(0, k - 5);
  const store = async () => {
    const attributes = (k: number) => ({
      ImagePositionPatient: ['-96', '-80', String(-24 + 4 * k + moved(k))],
      SliceThickness: k < 6 ? '4' : '6',
    });
    const series = makeSeries(block(), { attributes });
    for (const file of series.files) await world.pacs.store(file);
    return series;
  };

  it('is segmented, which the answer says, and a correction is stored on those very slices', async () => {
    const series = await store();
    const { inference, mask: answer } = await client.segment(series, tinyName);
    assert.match(inference.notes.join(), /gaps between slices run from 4\.00 to 6\.00 mm.*even steps/);
    assert.deepEqual(answer.slices, series.sopInstanceUids);
    const drawn = { ...answer, labels: answer.labels.map((_, n) => (n % 3 === 0 ? 1 : 0)) };
    const { status, body } = await client.submit(drawn, { inferenceId: inference.id });
    assert.equal(status, 201, JSON.stringify(body));
    const { seg } = await client.stored(body.id);
    const { studyInstanceUid } = series;
    const [stored] = await readSegs(world.pacs, { studyInstanceUid, seriesInstanceUid: seg.seriesInstanceUid });
    assert.match(stored?.contentDescription ?? '', /uneven slices/);
    assert.equal(stored?.frames.length, 12);
    for (const { source, position, voxels } of stored?.frames ?? []) {
      const k = series.sopInstanceUids.indexOf(source);
      assert.ok(Math.abs((position[2] ?? 0) - (-24 + 4 * k + moved(k))) < 1e-6, `slice ${k}`);
      assert.equal(voxels.length, (48 * 40) / 3);
    }
  });
});
