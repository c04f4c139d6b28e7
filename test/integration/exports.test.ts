import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { resumeExports } from '../../server/src/jobs/exports.ts';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
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

  it('are stored by a new job when theirs has ended, and by no second one while it is open', async () => {
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

    await queue.cancel(first ?? '');
    await resumeExports(database, queue);
    const [second] = await jobOf();
    assert.notEqual(second, first);
    assert.ok(second && (await readJob(database, second)));
  });
});
