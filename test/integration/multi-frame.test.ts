import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { diceOf, truthOn } from '../fixtures/masks.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';

const { skip } = await findSampleRoot();

describe('the loop on an enhanced multi-frame series', { skip }, () => {
  let world: LoopWorld;
  let server: LoopServer;
  let client: LoopClient;
  let frames: StoredSubject;
  let single: StoredSubject;

  before(async () => {
    world = await openWorld();
    frames = await world.addFrames(701);
    single = await world.addSubject(701);
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '1',
      UNCOL_ROUND_STEPS: '4',
      UNCOL_ROUND_UNLABELLED_SLICES: '0',
      UNCOL_HELD_OUT_PERCENT: '0',
    };
    server = await startLoopServer({ ...world, pacs: world.orthanc, environment });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await world?.close();
  });

  it('gives the mask that the same slices get as single objects (S12)', async () => {
    const { mask } = await client.segment(frames);
    assert.deepEqual(mask.slices, frames.sopInstanceUids);
    assert.ok(diceOf(mask.labels, truthOn(mask, frames).labels) > 0.5);
    const { mask: other } = await client.segment(single);
    assert.ok(Buffer.from(mask.labels).equals(other.labels));
  });

  it('stores a correction that names each frame, and a round learns from the frames vouched for', async () => {
    const some = (slices: readonly string[]) => slices.slice(12, 24);
    const { drawn, receipt } = await client.correct(frames, (mask) => truthOn(mask, frames), some);
    assert.equal(receipt.approvedSlices, 12);
    await client.stored(receipt.id);
    const { studyInstanceUid } = frames;
    const [seg] = await readSegs(world.pacs, { studyInstanceUid, seriesInstanceUid: receipt.seg.seriesInstanceUid });
    assert.ok(seg);
    assert.ok(Buffer.from(labelsOf(seg, drawn.slices, drawn.rows * drawn.columns)).equals(drawn.labels));
    const reports = await world.pacs.searchSeries({ studyInstanceUid, modality: 'SR' });
    assert.equal(reports.length, 1);
    const [round] = await client.rounds(tinyName);
    const ended = await client.roundEnd(round?.id ?? '');
    assert.equal(ended.state, 'done', JSON.stringify(ended.error));
    assert.equal(ended.labelledSlices, 12);
  });
});
