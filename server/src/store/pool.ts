import { type CorrectionRow, correctionColumns } from './corrections.ts';
import type { Queryable } from './database.ts';

/** Of each volume the correction that counts: what an administrator prefers, else the newest. */
const counting = (selected: string) => `
  select distinct on (series_instance_uid, volume) ${selected} from pool_correction
  where model_name = $1 order by series_instance_uid, volume, (preferred is not null) desc, seq desc`;

/**
 * What a round of `modelName` can learn from: of each volume the newest correction, in order of arrival. Corrections of
 * held-out patients are left out.
 */
export function listNewestCorrections(db: Queryable, modelName: string): Promise<readonly CorrectionRow[]> {
  return db.query<CorrectionRow>(
    `select * from (${counting(`${correctionColumns}, seq`)}) counting where not "heldOut" order by seq`,
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
       select distinct on (subject_key) ${correctionColumns}, seq from pool_correction
       where model_name = $1 and held_out order by subject_key, (preferred is not null) desc, seq desc
     ) newest order by seq desc limit $2`,
    [modelName, count],
  );
}

/** Of each volume the newest correction counts; it is taken for a series, as most are. */
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
     from (${counting('held_out, used_in_round, approved_slices')}) counting`,
    [modelName],
  );
  return row ?? { labelledSeries: 0, labelledSlices: 0, heldOutSeries: 0, unused: 0 };
}

/** Models with a correction that may train and that no round has used. */
export async function listModelsToTeach(db: Queryable): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    'select distinct model_name as name from pool_correction where not held_out and used_in_round is null order by 1',
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
       where model_name = $1 and withdrawn is null order by seq desc limit $2
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
    'select distinct series_instance_uid as uid from pool_correction where model_name = $1',
    [modelName],
  );
  return new Set(rows.map((row) => row.uid));
}
