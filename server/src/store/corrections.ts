import type { Queryable } from './database.ts';

/** One row of `correction`: a reader's final labelmap and the SEG it is stored as. */
export interface CorrectionRow {
  readonly id: string;
  readonly predictionId: string;
  /** Fixed before the first STOW: a repeated one stores the same object. */
  readonly segSopInstanceUid: string;
  readonly segSeriesInstanceUid: string;
  readonly segSeriesDescription: string;
  /** Of the SEG file once written; a repeated export makes the same bytes. */
  readonly segSha256: string | null;
  readonly state: 'storing' | 'stored';
  readonly exportJobId: string | null;
  /** Subject of the reader's token. */
  readonly reader: string;
  readonly idempotencyKey: string;
  readonly bodySha256: string;
  readonly kind: 'edited' | 'accepted';
  /** Blob of the gzip labelmap envelope as it was sent. */
  readonly labelmapSha256: string;
  /** SOP Instance UIDs of the slices the reader vouches for. */
  readonly approvedSlices: readonly string[];
  readonly changedVoxels: number;
  readonly dice: number | null;
  /** On the slices vouched for, segment 1 first; null: neither the model nor the reader shows it. */
  readonly diceBySegment: readonly (number | null)[];
  readonly notes: readonly string[];
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly trackingUid: string;
  readonly subjectKey: string;
  readonly heldOut: boolean;
  readonly usedInRound: string | null;
  readonly createdAt: Date;
}

export type NewCorrection = Omit<CorrectionRow, 'state' | 'usedInRound' | 'createdAt'>;

const fields = {
  id: 'id',
  predictionId: 'prediction_id',
  segSopInstanceUid: 'seg_sop_instance_uid',
  segSeriesInstanceUid: 'seg_series_instance_uid',
  segSeriesDescription: 'seg_series_description',
  segSha256: 'seg_sha256',
  exportJobId: 'export_job_id',
  reader: 'reader',
  idempotencyKey: 'idempotency_key',
  bodySha256: 'body_sha256',
  kind: 'kind',
  labelmapSha256: 'labelmap_sha256',
  approvedSlices: 'approved_slices',
  changedVoxels: 'changed_voxels',
  dice: 'dice',
  diceBySegment: 'dice_by_segment',
  notes: 'notes',
  studyInstanceUid: 'study_instance_uid',
  seriesInstanceUid: 'series_instance_uid',
  modelName: 'model_name',
  modelVersion: 'model_version',
  trackingUid: 'tracking_uid',
  subjectKey: 'subject_key',
  heldOut: 'held_out',
} as const satisfies Record<keyof NewCorrection, string>;

const columns = Object.entries({
  ...fields,
  state: 'state',
  usedInRound: 'used_in_round',
  createdAt: 'created_at',
})
  .map(([key, column]) => `${column} as "${key}"`)
  .join(', ');

/** @returns false when the reader used the idempotency key before; nothing is written then. */
export async function insertCorrection(db: Queryable, row: NewCorrection): Promise<boolean> {
  const keys = Object.keys(fields) as (keyof NewCorrection)[];
  const places = keys.map((_, index) => `$${index + 1}`).join(', ');
  const inserted = await db.query(
    `insert into correction (${keys.map((key) => fields[key]).join(', ')}) values (${places})
     on conflict (reader, idempotency_key) do nothing returning id`,
    keys.map((key) => row[key]),
  );
  return inserted.length > 0;
}

export async function readCorrection(db: Queryable, id: string): Promise<CorrectionRow | undefined> {
  const [row] = await db.query<CorrectionRow>(`select ${columns} from correction where id = $1`, [id]);
  return row;
}

export async function readCorrectionByKey(
  db: Queryable,
  reader: string,
  idempotencyKey: string,
): Promise<CorrectionRow | undefined> {
  const [row] = await db.query<CorrectionRow>(
    `select ${columns} from correction where reader = $1 and idempotency_key = $2`,
    [reader, idempotencyKey],
  );
  return row;
}

/** Corrections that the PACS does not hold yet, oldest first: what a restarted server goes on with. */
export function listStoringCorrections(db: Queryable): Promise<readonly CorrectionRow[]> {
  return db.query<CorrectionRow>(`select ${columns} from correction where state = 'storing' order by seq`);
}

/** Notes the job that now stores the SEG. */
export async function setExportJob(db: Queryable, id: string, jobId: string): Promise<void> {
  await db.query('update correction set export_job_id = $2 where id = $1', [id, jobId]);
}

/** Keeps what the SEG file is and what its reader should know; the first file's stays. */
export async function keepSeg(db: Queryable, id: string, segSha256: string, notes: readonly string[]): Promise<void> {
  const change = 'update correction set seg_sha256 = $2, notes = $3 where id = $1 and seg_sha256 is null';
  await db.query(change, [id, segSha256, notes]);
}

/** @returns false when it was marked before. */
export async function markStored(db: Queryable, id: string): Promise<boolean> {
  const rows = await db.query(
    `update correction set state = 'stored', stored_at = now() where id = $1 and state = 'storing' returning id`,
    [id],
  );
  return rows.length > 0;
}

/** Of each series the newest correction under a model. */
const newest = (selected: string) => `
  select distinct on (series_instance_uid) ${selected} from correction
  where model_name = $1 order by series_instance_uid, seq desc`;

/**
 * What a round of `modelName` can learn from: of each series the newest correction, in order of arrival. Corrections of
 * held-out patients are left out.
 */
export function listNewestCorrections(db: Queryable, modelName: string): Promise<readonly CorrectionRow[]> {
  return db.query<CorrectionRow>(
    `select * from (${newest(`${columns}, seq`)}) newest where not "heldOut" order by seq`,
    [modelName],
  );
}

/** Of held-out patients, newest first, the newest correction of each; at most `count`. */
export function listHeldOutCorrections(
  db: Queryable,
  modelName: string,
  count: number,
): Promise<readonly CorrectionRow[]> {
  return db.query<CorrectionRow>(
    `select * from (
       select distinct on (subject_key) ${columns}, seq from correction
       where model_name = $1 and held_out order by subject_key, seq desc
     ) newest order by seq desc limit $2`,
    [modelName, count],
  );
}

/** Of each series the newest correction counts. */
export interface PoolCounts {
  readonly labelledSeries: number;
  /** Slices vouched for in them. */
  readonly labelledSlices: number;
  readonly heldOutSeries: number;
  /** Of the labelled ones, those that no round has used: their number starts the next round. */
  readonly unused: number;
}

/** What {@link listNewestCorrections} would give, in numbers: asked for often, also with thousands of corrections. */
export async function countPool(db: Queryable, modelName: string): Promise<PoolCounts> {
  const [row] = await db.query<PoolCounts>(
    `select count(*) filter (where not held_out)::integer as "labelledSeries",
       coalesce(sum(cardinality(approved_slices)) filter (where not held_out), 0)::integer as "labelledSlices",
       count(*) filter (where held_out)::integer as "heldOutSeries",
       count(*) filter (where not held_out and used_in_round is null)::integer as "unused"
     from (${newest('held_out, used_in_round, approved_slices')}) newest`,
    [modelName],
  );
  return row ?? { labelledSeries: 0, labelledSlices: 0, heldOutSeries: 0, unused: 0 };
}

/** Models with a correction that may train and that no round has used. */
export async function listModelsToTeach(db: Queryable): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    'select distinct model_name as name from correction where not held_out and used_in_round is null order by 1',
  );
  return rows.map(({ name }) => name);
}

/** What the latest `count` corrections of a model say of its versions, oldest first. */
export function listJudgements(
  db: Queryable,
  modelName: string,
  count: number,
): Promise<readonly { version: number; kind: CorrectionRow['kind']; diceBySegment: (number | null)[] }[]> {
  return db.query(
    `select version, kind, "diceBySegment" from (
       select model_version as version, kind, dice_by_segment as "diceBySegment", seq from correction
       where model_name = $1 order by seq desc limit $2
     ) latest order by seq`,
    [modelName, count],
  );
}

/** Notes the first round that used each correction. */
export async function markUsed(db: Queryable, ids: readonly string[], roundId: string): Promise<void> {
  await db.query('update correction set used_in_round = $2 where id = any($1::uuid[]) and used_in_round is null', [
    ids,
    roundId,
  ]);
}

/** Takes back what {@link markUsed} noted for a round that learnt nothing. */
export async function giveBack(db: Queryable, roundId: string): Promise<void> {
  await db.query('update correction set used_in_round = null where used_in_round = $1', [roundId]);
}

/** Series that a reader has corrected under `modelName`; all others are unlabelled. */
export async function listCorrectedSeries(db: Queryable, modelName: string): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ uid: string }>(
    'select distinct series_instance_uid as uid from correction where model_name = $1',
    [modelName],
  );
  return new Set(rows.map((row) => row.uid));
}
