import type { ErrorRecord } from '../errors/app-error.ts';
import type { Queryable } from './database.ts';

/** Channel of NOTIFY on which each change of a job row is announced by the job's id. */
export const jobChannel = 'uncol_job';

export type JobKind = 'infer' | 'train' | 'export';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** One row of `job_progress`: what clients see of a job. */
export interface JobRow {
  readonly id: string;
  readonly kind: JobKind;
  /** Subject of the token that started it; only the owner or a trainer may cancel. */
  readonly owner: string;
  readonly state: JobState;
  readonly stage: string;
  /** 0..100. */
  readonly percent: number;
  readonly secondsLeft: number | null;
  readonly figures: Readonly<Record<string, number>>;
  readonly error: ErrorRecord | null;
  /** Grows with every change. */
  readonly seq: number;
}

/** What may change while a job runs; keys that are absent stay. */
export interface JobPatch {
  readonly state?: JobState;
  readonly stage?: string;
  readonly percent?: number;
  readonly secondsLeft?: number | null;
  readonly figures?: Readonly<Record<string, number>>;
  /** Of a job that waits to be tried again the fault of the last try; null takes it away. */
  readonly error?: ErrorRecord | null;
}

const columns = `id, kind, owner, state, stage, percent, seconds_left as "secondsLeft", figures, error,
  seq::integer as seq`;

export async function insertJob(db: Queryable, job: Pick<JobRow, 'id' | 'kind' | 'owner'>): Promise<void> {
  await db.query('insert into job_progress (id, kind, owner) values ($1, $2, $3)', [job.id, job.kind, job.owner]);
}

export async function readJob(db: Queryable, id: string): Promise<JobRow | undefined> {
  const [row] = await db.query<JobRow>(`select ${columns} from job_progress where id = $1`, [id]);
  return row;
}

/** Jobs of one kind that have not ended, oldest first. */
export function listOpenJobs(db: Queryable, kind: JobKind): Promise<readonly JobRow[]> {
  return db.query<JobRow>(
    `select ${columns} from job_progress where kind = $1 and state in ('queued', 'running') order by created_at`,
    [kind],
  );
}

/** Whether any job runs, or waits for its turn: an export that waits for its PACS is in nobody's way. */
export async function hasOpenJob(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>(
    `select exists (select 1 from job_progress where state = 'running' or state = 'queued' and kind <> 'export') as found`,
  );
  return row?.found ?? false;
}

/**
 * Changes a job that has not ended and announces it; statement and NOTIFY are one.
 * @returns false when the job has ended (or never was): an end is final, whoever comes first sets it.
 */
export async function updateJob(db: Queryable, id: string, patch: JobPatch): Promise<boolean> {
  const rows = await db.query(
    `with changed as (
       update job_progress set
         state = coalesce($2, state), stage = coalesce($3, stage), percent = coalesce($4, percent),
         seconds_left = case when $5 then $6 else seconds_left end,
         figures = coalesce($7::jsonb, figures), error = case when $9 then $8::jsonb else error end,
         seq = seq + 1, updated_at = now()
       where id = $1 and state in ('queued', 'running')
       returning id)
     select pg_notify('${jobChannel}', id::text) from changed`,
    [
      id,
      patch.state ?? null,
      patch.stage ?? null,
      patch.percent ?? null,
      patch.secondsLeft !== undefined,
      patch.secondsLeft ?? null,
      patch.figures ? JSON.stringify(patch.figures) : null,
      patch.error ? JSON.stringify(patch.error) : null,
      patch.error !== undefined,
    ],
  );
  return rows.length > 0;
}

/** True for the three states that never change again. */
export function hasEnded(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}
