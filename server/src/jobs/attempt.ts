import { type AppError, fromErrorRecord, toErrorRecord } from '../errors/app-error.ts';
import type { Database } from '../store/database.ts';
import { hasEnded, type JobKind, type JobPatch, readJob, updateJob } from '../store/job-progress.ts';
import { type Log, stackOf } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { jobKinds, type KindRow } from './kinds.ts';

/** How far a job is, as its handler reports it. */
export type JobReport = Pick<JobPatch, 'stage' | 'percent' | 'secondsLeft' | 'figures'>;

/** What a handler gets. */
export interface JobTask<Payload> {
  readonly id: string;
  readonly payload: Payload;
  /** 0 for the first try. */
  readonly attempt: number;
  /** Aborts when the job is cancelled, expires, or the server stops. */
  readonly signal: AbortSignal;
  /** Keeps and announces progress; cheap to call often, because reports of one stage are thinned out. */
  report(progress: JobReport): void;
}

export type JobHandler<Payload> = (task: JobTask<Payload>) => Promise<void>;

interface Surroundings {
  readonly kind: JobKind;
  readonly database: Database;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  isStopping(): boolean;
}

interface QueuedJob {
  readonly id: string;
  readonly data: unknown;
  readonly retryCount: number;
  readonly retryLimit: number;
  readonly signal: AbortSignal;
}

/**
 * One try of a job: runs the handler and sets the end state of its row. Throws only when the queue is to give the job
 * out again: the server stops, the attempt ran out of time, or the fault may pass and tries are left.
 */
export async function attempt(job: QueuedJob, handler: JobHandler<unknown>, around: Surroundings): Promise<void> {
  const { database, kind, log, metrics } = around;
  const row = await readJob(database, job.id);
  if (!row || hasEnded(row.state)) return;
  await updateJob(database, job.id, { state: 'running', error: null });
  const reports = thinnedReports((progress) => updateJob(database, job.id, progress));
  const started = performance.now();
  const end = async (state: 'done' | 'failed', patch: JobPatch) => {
    await reports.settle();
    const ended = await updateJob(database, job.id, { ...patch, state, secondsLeft: null });
    if (!ended) return;
    metrics.jobsTotal.inc({ kind, state });
    log.info('Job ended', { state, ms: Math.round(performance.now() - started), code: patch.error?.code });
  };
  try {
    const task = { id: job.id, payload: job.data, attempt: job.retryCount, signal: around.signal, report: reports.add };
    await handler(task);
    await end('done', { percent: 100, error: null });
  } catch (error) {
    await reports.settle();
    if ((await readJob(database, job.id))?.state === 'cancelled') {
      metrics.jobsTotal.inc({ kind, state: 'cancelled' });
      return;
    }
    const record = toErrorRecord(error);
    if (record.code === 'internal') log.error('Job met an unexpected fault', { stack: stackOf(error) });
    const mayPass = (jobKinds[kind] as KindRow).retryOn.has(record.code) && job.retryCount < job.retryLimit;
    if (mayPass || around.isStopping() || job.signal.aborted) {
      // A stop of the server is no fault of the job.
      const fault = mayPass ? { error: record } : {};
      await updateJob(database, job.id, { state: 'queued', secondsLeft: null, ...fault });
      log.warn('Job will be tried again', { code: record.code, attempt: job.retryCount });
      // Only the record: the queue keeps the error in its tables, and a raw one may quote patient data.
      throw plain(fromErrorRecord(record));
    }
    await end('failed', { error: record });
  }
}

/** An error without stack and cause. */
function plain(error: AppError): Error {
  const bare = new Error(error.code);
  delete bare.stack;
  return bare;
}

const reportGapMs = 150;

/** Lets the first report of a stage and then one every {@link reportGapMs} through, the latest one last. */
function thinnedReports(write: (progress: JobReport) => Promise<unknown>) {
  let pending: JobReport | undefined;
  let stage: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const progress = pending;
    pending = undefined;
    // A report that cannot be written is replaced by the next; the end state is written by itself.
    if (progress) last = last.then(() => write(progress)).then(noop, noop);
  };
  return {
    add(progress: JobReport) {
      pending = { ...pending, ...progress };
      const changesStage = progress.stage !== undefined && progress.stage !== stage;
      if (changesStage) {
        stage = progress.stage;
        flush();
      } else {
        timer ??= setTimeout(flush, reportGapMs);
      }
    },
    settle(): Promise<void> {
      flush();
      return last;
    },
  };
}

function noop(): void {}
