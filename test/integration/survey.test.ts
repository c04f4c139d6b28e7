import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
import { endSurvey, surveyNext } from '../../server/src/jobs/survey.ts';
import { createRegistry } from '../../server/src/registry/registry.ts';
import { readPrediction } from '../../server/src/store/inferences.ts';
import { hasOpenJob } from '../../server/src/store/job-progress.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import { createWorklists, type Worklists } from '../../server/src/worklist/worklists.ts';
import { addPrediction } from '../fixtures/add-prediction.ts';
import { makeBall } from '../fixtures/make-ball.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { makeEchoes } from '../fixtures/make-volumes.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const model = 'test-mr';
const request = { model, order: 'uncertainty', reader: 'a', limit: 500, offset: 0 } as const;

describe('cases that are segmented ahead', { timeout: 180_000 }, () => {
  let server: ServerUnderTest;
  let queue: JobQueue;
  let worklists: Worklists;
  let claimed: string;

  before(async () => {
    server = await startServer();
    for (const study of ['1.1', '1.2', '1.3', '1.4']) {
      const options = { studyInstanceUid: study, seriesInstanceUid: `${study}.1` };
      const made = makeSeries(makeBall({ isFlat: study === '1.4' }), {
        ...options,
        attributes: () => ({ PatientID: study }),
      });
      for (const file of made.files) await server.pacs.store(file);
    }
    // It sends jobs; those who work are the server's.
    queue = await createJobQueue(server.database, { log: createLog('silent'), metrics: createMetrics() });
    worklists = worklistsOf();
  });
  after(async () => {
    await queue.stop();
    await server.close();
  });

  const registryOf = () =>
    createRegistry({
      seedFolder: join(server.home, 'seeds'),
      serviceFolder: join(server.home, 'models'),
      aliases: async () => new Map(),
    });
  const worklistsOf = () => createWorklists({ database: server.database, registry: registryOf(), pacs: server.pacs });
  const next = (ahead = 10) =>
    surveyNext({ database: server.database, queue, registry: registryOf(), worklists, ahead });
  const idle = async () => {
    for (let tries = 0; await hasOpenJob(server.database); tries += 1) {
      assert.ok(tries < 600, 'the job did not end');
      await sleep(50);
    }
  };
  const predicted = () =>
    server.database.query<{ study: string; state: string }>(
      `select study_instance_uid as study, state from prediction join job_progress job on job.id = job_id
       where requested_by = 'server' order by 1, 2`,
    );

  it('nothing is, before a reader asks for a worklist', async () => {
    assert.equal(await next(), undefined);
    assert.deepEqual(await predicted(), []);
  });

  it('one at a time, and gives way to a reader', async () => {
    assert.equal((await worklists.read(request)).counts.new, 4);
    claimed = (await worklists.openNext({ ...request, order: 'worklist' }))?.studyInstanceUid ?? assert.fail();
    const id = (await next()) ?? assert.fail('nothing was sent');
    assert.equal(await next(), undefined, 'one waits or runs');
    await endSurvey({ database: server.database, queue });
    assert.equal((await readPrediction(server.database, id))?.state, 'cancelled');
    await idle();
  });

  it('each until enough are scored; a failure is not repeated, an interruption is', async () => {
    for (let count = 0; (await next()) !== undefined; count += 1) {
      assert.ok(count < 6, 'it goes on and on');
      await idle();
    }
    const ended = (await predicted()).filter(({ state }) => state !== 'cancelled');
    const others = ['1.1', '1.2', '1.3', '1.4'].filter((study) => study !== claimed);
    assert.deepEqual(
      ended,
      others.map((study) => ({ study, state: study === '1.4' ? 'failed' : 'done' })),
      'what a reader has open is left to the reader',
    );
    const { items, counts } = await worklists.read(request);
    const scored = items.filter(({ uncertainty, version }) => uncertainty !== null && version === 1);
    assert.equal(scored.length, counts.segmented);
    assert.deepEqual(items.slice(0, scored.length), scored, 'what has no score comes last');
    const rows = await server.database.query<{ each: unknown }>(
      `select result->'uncertaintyBySegment' as each from prediction where result is not null`,
    );
    assert.ok(rows.every(({ each }) => Array.isArray(each) && each.length === 1));
    await server.database.query('delete from case_claim');
    assert.equal(await next(scored.length), undefined, 'enough');
  });

  it('by the clock of a server whose worklist is asked for', async () => {
    const open = async () => (await predicted()).some(({ study, state }) => study === claimed && state !== 'cancelled');
    assert.equal(await open(), false);
    const response = await fetch(`${server.url}/v1/worklist?model=${model}`);
    assert.equal(response.status, 200);
    for (let tries = 0; !(await open()); tries += 1) {
      assert.ok(tries < 300, 'the clock sent nothing');
      await sleep(100);
    }
    await idle();
    const [row] = await server.database.query<{ actor: string }>(
      `select actor from audit where action = 'inference-started' order by seq desc limit 1`,
    );
    assert.equal(row?.actor, 'server');
  });

  it('of a series with several volumes the one that readers work on', async () => {
    const { database, pacs } = server;
    const made = makeEchoes(makeBall({}), 'survey', { PatientID: '1.5' });
    for (const file of made.files) await pacs.store(file);
    await addPrediction(database, { ...made, volume: 'EchoTime=30', model, modelVersion: 7 }, {});
    worklists = worklistsOf();
    await worklists.read(request);
    await next();
    await idle();
    const rows = await database.query<{ volume: string; state: string }>(
      `select volume, state from prediction join job_progress job on job.id = job_id
       where requested_by = 'server' and study_instance_uid = $1`,
      [made.studyInstanceUid],
    );
    assert.deepEqual(rows, [{ volume: 'EchoTime=30', state: 'done' }]);
  });
});
