import type { ErrorRecord } from '../errors/app-error.ts';
import type { Act } from './audit.ts';
import type { Queryable } from './database.ts';

export type RoundState = 'planned' | 'training' | 'evaluating' | 'done' | 'failed';

/** One row of `training_round`. `Plan` and `Verdict` are shapes of the folders that write them. */
export interface RoundRow<Plan = unknown, Verdict = unknown> {
  readonly id: string;
  readonly jobId: string;
  readonly modelName: string;
  /** What started it. */
  readonly trigger: 'corrections' | 'clock' | 'person';
  readonly fromVersion: number;
  readonly toVersion: number | null;
  readonly state: RoundState;
  readonly labelledSlices: number;
  readonly replaySlices: number;
  readonly unlabelledSlices: number;
  readonly generalizedTeacher: string;
  /** Fixed when the round is planned; a restarted round does the same work. */
  readonly plan: Plan | null;
  readonly verdict: Verdict | null;
  readonly error: ErrorRecord | null;
  /** Of a person, of what had passed the gate. */
  readonly refusal: Act | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** What may change; keys that are absent stay. */
export type RoundPatch = Partial<Omit<RoundRow, 'id' | 'jobId' | 'modelName' | 'trigger' | 'createdAt' | 'refusal'>>;

const columnOf = {
  fromVersion: 'from_version',
  toVersion: 'to_version',
  state: 'state',
  labelledSlices: 'labelled_slices',
  replaySlices: 'replay_slices',
  unlabelledSlices: 'unlabelled_slices',
  generalizedTeacher: 'generalized_teacher',
  plan: 'plan',
  verdict: 'verdict',
  error: 'error',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
} as const satisfies Record<keyof RoundPatch, string>;

const jsonColumns: ReadonlySet<string> = new Set(['plan', 'verdict', 'error']);

const columns = `id, job_id as "jobId", model_name as "modelName", trigger, created_at as "createdAt", refusal, ${Object.entries(
  columnOf,
)
  .map(([key, column]) => `${column} as "${key}"`)
  .join(', ')}`;

export async function insertRound(
  db: Queryable,
  round: Pick<RoundRow, 'id' | 'jobId' | 'modelName' | 'trigger' | 'fromVersion'>,
): Promise<void> {
  await db.query(
    'insert into training_round (id, job_id, model_name, trigger, from_version) values ($1, $2, $3, $4, $5)',
    [round.id, round.jobId, round.modelName, round.trigger, round.fromVersion],
  );
}

export async function readRound(db: Queryable, id: string): Promise<RoundRow | undefined> {
  const [row] = await db.query<RoundRow>(`select ${columns} from training_round where id = $1`, [id]);
  return row;
}

/** Newest first, of one model or of all. */
export function listRounds(db: Queryable, modelName?: string, limit = 100): Promise<readonly RoundRow[]> {
  return db.query<RoundRow>(
    `select ${columns} from training_round where $1::text is null or model_name = $1
     order by created_at desc, id limit $2`,
    [modelName ?? null, limit],
  );
}

/** How many rounds of the same model were asked for before this one, whatever became of them. */
export async function countEarlierRounds(db: Queryable, id: string): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `select count(*)::integer as count from training_round round join training_round earlier
       on earlier.model_name = round.model_name and earlier.created_at < round.created_at
     where round.id = $1`,
    [id],
  );
  return row?.count ?? 0;
}

/** The round of `modelName` that has not ended. */
export async function readOpenRound(db: Queryable, modelName: string): Promise<RoundRow | undefined> {
  const [row] = await db.query<RoundRow>(
    `select ${columns} from training_round where model_name = $1 and state not in ('done', 'failed')
     order by created_at limit 1`,
    [modelName],
  );
  return row;
}

/** Notes a person's no, once. @returns false when there was one, or the round has not ended with a version. */
export async function insertRefusal(db: Queryable, id: string, refusal: Act): Promise<boolean> {
  const rows = await db.query(
    `update training_round set refusal = $2::jsonb
     where id = $1 and state = 'done' and to_version is not null and refusal is null returning id`,
    [id, JSON.stringify(refusal)],
  );
  return rows.length > 0;
}

/** When rounds of a model were asked for since a time, whatever became of them. */
export async function listRoundStarts(db: Queryable, modelName: string, since: Date): Promise<readonly Date[]> {
  const rows = await db.query<{ at: Date }>(
    'select created_at as at from training_round where model_name = $1 and created_at >= $2',
    [modelName, since],
  );
  return rows.map(({ at }) => at);
}

/** Whether the newest round of a model failed, and no correction that may train has come since it was asked for. */
export async function hasFailedLast(db: Queryable, modelName: string): Promise<boolean> {
  const [row] = await db.query<{ failed: boolean }>(
    `select state = 'failed' and not exists (
       select 1 from correction where model_name = $1 and not held_out and created_at > newest.created_at
     ) as failed
     from (select state, created_at from training_round where model_name = $1 order by created_at desc limit 1) newest`,
    [modelName],
  );
  return row?.failed ?? false;
}

/** A round that its job left open. */
export interface AbandonedRound {
  readonly id: string;
  readonly jobId: string;
  readonly jobState: 'done' | 'failed' | 'cancelled';
  /** Of the job. */
  readonly error: ErrorRecord | null;
}

/** Open rounds whose job has ended. */
export function listAbandonedRounds(db: Queryable): Promise<readonly AbandonedRound[]> {
  return db.query<AbandonedRound>(
    `select round.id, job.id as "jobId", job.state as "jobState", job.error from training_round round join job_progress job on job.id = round.job_id
     where round.state not in ('done', 'failed') and job.state in ('done', 'failed', 'cancelled')`,
  );
}

/** Changes a round that has not ended. @returns false when it has. */
export async function updateRound(db: Queryable, id: string, patch: RoundPatch): Promise<boolean> {
  const changes = Object.entries(patch).filter(([, value]) => value !== undefined);
  if (changes.length === 0) return true;
  const assignments = changes.map(([key], index) => `${columnOf[key as keyof RoundPatch]} = $${index + 2}`);
  const values = changes.map(([key, value]) =>
    jsonColumns.has(key) && value !== null ? JSON.stringify(value) : (value as string | number | Date | null),
  );
  const rows = await db.query(
    `update training_round set ${assignments.join(', ')} where id = $1 and state not in ('done', 'failed') returning id`,
    [id, ...values],
  );
  return rows.length > 0;
}
