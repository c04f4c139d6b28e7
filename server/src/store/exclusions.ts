import type { Queryable } from './database.ts';

/** One row of `exclusion`: a series, or one volume of it, that rounds of a model leave alone. */
export interface Exclusion {
  readonly modelName: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of a series with several volumes the one; empty: the series with all of them. */
  readonly volume: string;
  /** Subject of the token. */
  readonly actor: string;
  readonly reason: string;
  readonly since: Date;
}

/** Excluded again: the newer reason stands, the older time. */
export async function insertExclusion(db: Queryable, row: Omit<Exclusion, 'since'>): Promise<Exclusion> {
  const [kept] = await db.query<Pick<Exclusion, 'since'>>(
    `insert into exclusion (model_name, series_instance_uid, volume, study_instance_uid, actor, reason)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (model_name, series_instance_uid, volume) do update set actor = excluded.actor, reason = excluded.reason
     returning since`,
    [row.modelName, row.seriesInstanceUid, row.volume, row.studyInstanceUid, row.actor, row.reason],
  );
  if (!kept) throw new RangeError('an insert that returns gave no row');
  return { ...row, since: kept.since };
}

/** @returns false when it was not excluded. */
export async function deleteExclusion(
  db: Queryable,
  modelName: string,
  { seriesInstanceUid, volume }: Pick<Exclusion, 'seriesInstanceUid' | 'volume'>,
): Promise<boolean> {
  const rows = await db.query(
    'delete from exclusion where model_name = $1 and series_instance_uid = $2 and volume = $3 returning model_name',
    [modelName, seriesInstanceUid, volume],
  );
  return rows.length > 0;
}

/** Newest first. */
export function listExclusions(db: Queryable, modelName: string): Promise<readonly Exclusion[]> {
  return db.query<Exclusion>(
    `select model_name as "modelName", study_instance_uid as "studyInstanceUid",
       series_instance_uid as "seriesInstanceUid", volume, actor, reason, since
     from exclusion where model_name = $1 order by since desc, series_instance_uid, volume`,
    [modelName],
  );
}
