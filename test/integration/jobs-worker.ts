/** A worker of its own process for jobs.test.ts: tells the parent which attempt began, ends the job when told. */
import { once } from 'node:events';
import { createJobQueue } from '../../server/src/jobs/queue.ts';
import { openDatabase } from '../../server/src/store/database.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';

const database = openDatabase(process.argv[2] ?? '');
const queue = await createJobQueue(database, { log: createLog('silent'), metrics: createMetrics() });
await queue.work('infer', async (task) => {
  process.send?.({ attempt: task.attempt });
  await once(process, 'message');
});
