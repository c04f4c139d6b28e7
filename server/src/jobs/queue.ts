import { randomUUID } from 'node:crypto';
import { type JobWithMetadata, PgBoss, type SendOptions } from 'pg-boss';
import { AppError, type ErrorRecord } from '../errors/app-error.ts';
import type { Database, Queryable, SqlValue } from '../store/database.ts';
import { insertJob, type JobKind, type JobRow, listOpenJobs, readJob, updateJob } from '../store/job-progress.ts';
import { faultOf, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { attempt, type JobHandler } from './attempt.ts';
import { followJobs } from './feed.ts';
import { type JobPayload, jobKinds, type KindRow } from './kinds.ts';

/** Long work, kept in PostgreSQL: what is sent survives every crash, and runs until it ends. */
export interface JobQueue {
  /**
   * Queues a job with its row.
   * @param options.key debounces by the policy of the kind.
   * @param options.tx a transaction that the job belongs to.
   * @returns its id, or undefined when the policy folds it into a job that waits already.
   */
  send<Kind extends JobKind>(
    kind: Kind,
    payload: JobPayload<Kind>,
    options: { readonly owner: string; readonly key?: string; readonly tx?: Queryable },
  ): Promise<string | undefined>;
  /**
   * Runs `handler` for jobs of a kind. It may run again for the same job after a crash: write by job id.
   * @param onGivenUp called when a job ends outside its handler: cancelled, or its worker died too often.
   */
  work<Kind extends JobKind>(
    kind: Kind,
    handler: JobHandler<JobPayload<Kind>>,
    onGivenUp?: (payload: JobPayload<Kind>, error: ErrorRecord) => Promise<unknown>,
  ): Promise<void>;
  /**
   * Cancels a job that has not ended; the worker's signal aborts at once. For one that is cancelled already, whatever a
   * crash kept from being ended with it is ended now.
   * @returns its row. A job that has ended stays as it is.
   * @throws AppError `job-not-found`
   */
  cancel(id: string): Promise<JobRow>;
  /** Every change of a job as it is announced, from all processes; the return value unsubscribes. */
  subscribe(id: string, onChange: (job: JobRow) => void): () => void;
  /** Hands running jobs back to the queue and closes it. */
  stop(): Promise<void>;
}

const deadQueue = 'dead';
const lost: ErrorRecord = { code: 'child-lost', message: 'The worker of this job ended too often.', detail: {} };
const cancelled: ErrorRecord = { code: 'job-cancelled', message: 'The job was cancelled.', detail: {} };

/** By kind, what else is to be ended with a job. */
type GivenUpHandlers = Map<JobKind, (payload: never, error: ErrorRecord) => Promise<unknown>>;

/**
 * Opens the queue on `database`; pg-boss keeps its tables in its own schema.
 * @param options.isAlone no other server works on this database: what a killed one left running then goes back to the
 *   queue at once, and not only when its heartbeats have been missed.
 */
export async function createJobQueue(
  database: Database,
  { log, metrics, isAlone = false }: { readonly log: Log; readonly metrics: Metrics; readonly isAlone?: boolean },
): Promise<JobQueue> {
  const boss = new PgBoss({
    connectionString: database.url,
    application_name: 'uncol jobs',
    max: 6,
    useListenNotify: true,
    superviseIntervalSeconds: 2,
    monitorIntervalSeconds: 2,
    instanceName: 'uncol',
  });
  // Faults of its own loops repeat by themselves; without a listener one would end the process.
  boss.on('error', (error) => log.warn('Job queue fault', { code: faultOf(error) }));
  await boss.start();
  await createQueues(boss);
  if (isAlone) await takeBack(boss, database);

  const running = new Map<string, AbortController>();
  const givenUp: GivenUpHandlers = new Map();
  const feed = await followJobs(
    database,
    (job) => {
      if (job.state === 'cancelled') running.get(job.id)?.abort();
    },
    () => running.keys(),
  );
  await workDeadQueue(boss, database, givenUp, metrics);
  let stopping = false;

  return {
    async send(kind, payload, { owner, key, tx }) {
      const id = randomUUID();
      jobKinds[kind].payload.parse(payload);
      const put = async (db: Queryable) => {
        const options: SendOptions = {
          id,
          db: asBossDatabase(db),
          ...(key === undefined ? {} : { singletonKey: key }),
        };
        const sent = await boss.send(kind, payload, options);
        if (sent === null) return undefined;
        await insertJob(db, { id, kind, owner });
        return id;
      };
      return tx ? put(tx) : database.transaction(put);
    },
    async work(kind, handler, onGivenUp) {
      if (onGivenUp) givenUp.set(kind, onGivenUp);
      const options = {
        includeMetadata: true,
        localConcurrency: jobKinds[kind].concurrency,
        pollingIntervalSeconds: 1,
        notifyPollingIntervalSeconds: 1,
        heartbeatRefreshSeconds: 3,
      } as const;
      await boss.work(kind, options, async ([job]: JobWithMetadata<object>[]) => {
        if (!job) return;
        const control = new AbortController();
        running.set(job.id, control);
        try {
          await attempt(job, handler as JobHandler<unknown>, {
            kind,
            database,
            log: log.with({ jobId: job.id, kind }),
            metrics,
            signal: AbortSignal.any([job.signal, control.signal]),
            isStopping: () => stopping,
          });
        } finally {
          running.delete(job.id);
        }
      });
    },
    cancel: (id) => cancel(boss, database, givenUp, id),
    subscribe: feed.subscribe,
    async stop() {
      stopping = true;
      for (const control of running.values()) control.abort();
      await boss.stop({ graceful: true, timeout: 5000 });
      await feed.close();
    },
  };
}

async function createQueues(boss: PgBoss): Promise<void> {
  await boss.createQueue(deadQueue, { notify: true });
  for (const [kind, { queue }] of Object.entries<KindRow>(jobKinds)) {
    const { policy, ...settings } = queue;
    const options = { ...settings, notify: true, retryBackoff: true, deadLetter: deadQueue };
    await boss.createQueue(kind, { policy, ...options });
    // createQueue leaves an existing queue as it was; settings of a newer server must reach it.
    await boss.updateQueue(kind, options);
  }
}

async function takeBack(boss: PgBoss, database: Database): Promise<void> {
  for (const kind of Object.keys(jobKinds) as JobKind[]) {
    const open = await listOpenJobs(database, kind);
    for (const { id, state } of open) if (state === 'running') await boss.fail(kind, id);
  }
}

async function cancel(boss: PgBoss, database: Database, givenUp: GivenUpHandlers, id: string): Promise<JobRow> {
  const changed = await updateJob(database, id, { state: 'cancelled', secondsLeft: null });
  const job = await readJob(database, id);
  if (!job) throw new AppError('job-not-found', `There is no job ${id}.`);
  if (!changed && job.state !== 'cancelled') return job;
  await boss.cancel(job.kind, id);
  const [queued] = await boss.findJobs<object>(job.kind, { id });
  if (queued) await givenUp.get(job.kind)?.(queued.data as never, cancelled);
  return job;
}

/** Jobs arrive here when their worker died on the last try: nobody else is left to say so. */
async function workDeadQueue(
  boss: PgBoss,
  database: Database,
  givenUp: GivenUpHandlers,
  metrics: Metrics,
): Promise<void> {
  const options = { includeMetadata: true, pollingIntervalSeconds: 2, notifyPollingIntervalSeconds: 2 } as const;
  await boss.work(deadQueue, options, async ([job]: JobWithMetadata<object>[]) => {
    const kind = job?.sourceName as JobKind | undefined;
    if (!job?.sourceId || !kind || !(kind in jobKinds)) return;
    const ended = await updateJob(database, job.sourceId, { state: 'failed', error: lost, secondsLeft: null });
    if (!ended) return;
    metrics.jobsTotal.inc({ kind, state: 'failed' });
    await givenUp.get(kind)?.(job.data as never, lost);
  });
}

function asBossDatabase(db: Queryable) {
  return {
    executeSql: async (text: string, values?: unknown[]) => ({
      rows: [...(await db.query(text, values as SqlValue[]))],
    }),
  };
}
