import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { present } from '../../server/src/http/routes/corrections.ts';
import { resumeExports } from '../../server/src/jobs/exports.ts';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
import { policyOf } from '../../server/src/round/policy.ts';
import { listStoringCorrections, markStored } from '../../server/src/store/corrections.ts';
import { readJob } from '../../server/src/store/job-progress.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
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
