import type { Response } from 'express';
import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { errorTable } from '../../errors/table.ts';
import type { JobQueue } from '../../jobs/queue.ts';
import { appendAudit } from '../../store/audit.ts';
import type { Database } from '../../store/database.ts';
import { hasEnded, type JobRow, readJob } from '../../store/job-progress.ts';
import { includesRole } from '../auth.ts';
import { id, type Job, job } from '../contract.ts';
import { defineRoute, type Route } from '../route.ts';

const heartbeatMs = 15_000;
const params = z.strictObject({ id });

/** State of jobs, their stream of events, and cancelling. */
export function jobRoutes({ database, queue }: { readonly database: Database; readonly queue: JobQueue }): Route[] {
  const find = async (jobId: string): Promise<JobRow> => {
    const row = await readJob(database, jobId);
    if (!row) throw new AppError('job-not-found', `There is no job ${jobId}.`);
    return row;
  };
  return [
    defineRoute({
      method: 'get',
      path: '/v1/jobs/{id}',
      summary: 'State of a job',
      tag: 'jobs',
      role: 'reader',
      params,
      replies: { 200: job },
      handle: async ({ params }) => ({ status: 200, body: presentJob(await find(params.id)) }),
    }),
    defineRoute({
      method: 'delete',
      path: '/v1/jobs/{id}',
      summary: 'Cancel a job; one that has ended stays as it is',
      tag: 'jobs',
      role: 'annotator',
      params,
      replies: { 200: job },
      async handle({ params, caller }) {
        const { owner, kind } = await find(params.id);
        // What a reader has handed in is kept and stored, whoever changes their mind.
        if (kind === 'export') throw new AppError('not-allowed', 'Storing a correction cannot be cancelled.');
        if (owner !== caller.subject && !includesRole(caller.role, 'trainer')) {
          throw new AppError('not-allowed', 'Only who started a job, or a trainer, may cancel it.');
        }
        const row = await queue.cancel(params.id);
        await appendAudit(database, {
          actor: caller.subject,
          action: 'job-cancelled',
          object: { jobId: row.id, kind: row.kind, state: row.state },
        });
        return { status: 200, body: presentJob(row) };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/jobs/{id}/events',
      summary: 'Changes of a job as server-sent events, until it ends',
      tag: 'jobs',
      role: 'reader',
      params,
      replies: {
        200: {
          mediaType: 'text/event-stream',
          description: 'Events named `job` whose data is a Job; id = its change.',
        },
      },
      async handle({ params, request, signal }) {
        await find(params.id);
        const after = Number(request.get('last-event-id') ?? 0);
        return {
          status: 200,
          headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
          write: (response) => streamJob(response, params.id, Number.isFinite(after) ? after : 0, signal),
        };
      },
    }),
  ];

  /** Sends the state as it is now, then every change; a client that reconnects misses nothing but steps in between. */
  async function streamJob(response: Response, jobId: string, after: number, signal: AbortSignal): Promise<void> {
    let sent = after;
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const send = (row: JobRow) => {
      const isEnd = hasEnded(row.state);
      if (row.seq > sent || isEnd) {
        sent = Math.max(sent, row.seq);
        response.write(`id: ${row.seq}\nevent: job\ndata: ${JSON.stringify(presentJob(row))}\n\n`);
      }
      if (isEnd) finish();
    };
    const unsubscribe = queue.subscribe(jobId, send);
    const heartbeat = setInterval(() => response.write(': still here\n\n'), heartbeatMs);
    signal.addEventListener('abort', finish, { once: true });
    try {
      response.flushHeaders();
      // Read after subscribing: a change in between is then seen by one of the two.
      send(await find(jobId));
      await finished;
    } finally {
      clearInterval(heartbeat);
      unsubscribe();
      response.end();
    }
  }
}

/** A row as the contract has it. */
export function presentJob(row: JobRow): Job {
  const { owner: _owner, seq: _seq, error, ...rest } = row;
  const shown = error && {
    ...{ code: error.code, message: error.message, hint: errorTable[error.code].hint },
    seen: { ...error.detail },
  };
  return { ...rest, figures: { ...row.figures }, error: shown };
}
