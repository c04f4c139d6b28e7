import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../server/src/store/database.ts';
import { startEmbedded } from '../../server/src/store/embedded.ts';
import { type KeyedMask, LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServerProcess, startLoopServerProcess } from '../fixtures/loop-server.ts';
import { type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { truthOn } from '../fixtures/masks.ts';
import { type PacsFront, startPacsFront } from '../fixtures/pacs-front.ts';
import { childrenOf } from '../fixtures/processes.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';

const { skip } = await findSampleRoot();

describe('kill -9 of the whole server', { skip }, () => {
  let world: LoopWorld;
  let front: PacsFront;
  let server: LoopServerProcess;
  let client: LoopClient;
  let subject: StoredSubject;
  let inferenceId: string;
  let mask: KeyedMask;

  const start = async () => {
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '1',
      UNCOL_ROUND_STEPS: '8',
      UNCOL_ROUND_UNLABELLED_SLICES: '0',
      UNCOL_HELD_OUT_PERCENT: '0',
    };
    const pacs = { url: front.url, credentials: world.orthanc.credentials };
    const { home, seeds, sampleRoot } = world;
    server = await startLoopServerProcess({ home, seeds, sampleRoot, pacs, environment });
    client ??= new LoopClient(server.url);
    client.url = server.url;
  };

  before(async () => {
    world = await openWorld();
    front = await startPacsFront(world.orthanc);
    subject = await world.addSubject(801);
    await start();
    const made = await client.segment(subject);
    inferenceId = made.inference.id;
    mask = truthOn(made.mask, subject);
  });
  after(async () => {
    await server?.stop();
    await front?.close();
    await world?.close();
  });

  const seriesOf = (modality: 'SEG' | 'SR') =>
    world.pacs.searchSeries({ studyInstanceUid: subject.studyInstanceUid, modality });

  it('in the middle of the upload: nothing is kept, and the same submit is taken afterwards', async () => {
    const upload = request(`${server.url}/v1/corrections`, {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        'content-encoding': 'gzip',
        'content-length': '100000',
        'idempotency-key': randomUUID(),
      },
    });
    upload.on('error', () => undefined);
    upload.write(Buffer.alloc(50_000));
    await sleep(200);
    await server.kill();
    await start();
    assert.deepEqual([await seriesOf('SEG'), await seriesOf('SR')], [[], []]);
    assert.deepEqual(await client.rounds(tinyName), []);
  });

  it('around the store: after the restart each correction is there, its SEG and its SR exactly once', async () => {
    // Killed when the SEG has not reached the PACS yet, then when the PACS has it and the server neither knows nor
    // has sent the SR.
    for (const [instant, before] of [
      ['beforeStore', 0],
      ['afterStore', 1],
    ] as const) {
      const key = randomUUID();
      const reached = new Promise<void>((resolve) => {
        front[instant] = async () => {
          resolve();
          await server.kill();
        };
      });
      const answer = client.submit(mask, { inferenceId }, key).catch(() => undefined);
      await reached;
      assert.equal(await answer, undefined, 'the reader got no answer');
      await start();
      // The reader presses Submit again: the same key, the correction that was kept.
      const again = await client.submit(mask, { inferenceId }, key);
      assert.equal(again.status, 201, JSON.stringify(again.body));
      const stored = await client.stored(again.body.id, 90_000);
      for (const [modality, object] of [
        ['SEG', stored.seg],
        ['SR', stored.sr],
      ] as const) {
        const { studyInstanceUid } = subject;
        const { seriesInstanceUid } = object ?? assert.fail();
        assert.equal(await world.countInstances({ studyInstanceUid, seriesInstanceUid }), 1, `${instant} ${modality}`);
        assert.equal((await seriesOf(modality)).length, before + 1, `${instant} ${modality}`);
      }
    }
  });

  it('in a round: every acknowledged correction is there, and the round starts again and ends', async () => {
    const acknowledged = await client.submit(mask, { inferenceId });
    assert.deepEqual([acknowledged.status, acknowledged.body.state], [201, 'stored']);
    const rounds = await client.rounds(tinyName);
    const open = rounds.find((row) => row.state !== 'done' && row.state !== 'failed') ?? assert.fail('no round runs');
    const trainers = await client.until('a training process', 90_000, async () => {
      const pids = await childrenOf(server.pid, 'train-child');
      return pids.length > 0 ? pids : undefined;
    });
    await server.kill();
    await client.until('end of the trainer without its server', 30_000, async () =>
      trainers.some((pid) => existsSync(`/proc/${pid}`)) ? undefined : true,
    );
    await start();
    assert.equal((await client.stored(acknowledged.body.id)).id, acknowledged.body.id);
    const round = await client.roundEnd(open.id);
    assert.equal(round.state, 'done', JSON.stringify(round.error));
    const embedded = await startEmbedded(world.home);
    assert.ok(embedded.adopted, 'the database of the killed server was taken over');
    const database = openDatabase(server.databaseUrl);
    const rows = await database.query<{ action: string; n: number }>(
      'select action, count(*)::int as n from audit group by action order by action',
    );
    await database.close();
    const counts = Object.fromEntries(rows.map(({ action, n }) => [action, n]));
    assert.deepEqual([counts['correction-submitted'], counts['correction-stored']], [3, 3]);
  });
});
