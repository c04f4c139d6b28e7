import type { Queryable } from './database.ts';

/** The mask of a volume that counts for a worklist. */
export interface MaskRow {
  readonly seriesInstanceUid: string;
  /** Of a series with several volumes the one it is of; else empty. */
  readonly volume: string;
  readonly version: number;
  /** Whether it shows any segment. */
  readonly isFound: boolean;
  readonly uncertainty: number;
  /** See `PredictionResult`; null in results of versions that did not look. */
  readonly uncertaintyBySegment: readonly (number | null)[] | null;
}

/** Of each volume under a model the newest mask, one of `version` before those of others; newest last. */
export function listMasks(db: Queryable, modelName: string, version: number): Promise<readonly MaskRow[]> {
  return db.query<MaskRow>(
    `select "seriesInstanceUid", volume, version, "isFound", uncertainty, "uncertaintyBySegment" from (
       select distinct on (series_instance_uid, volume) series_instance_uid as "seriesInstanceUid", volume,
         model_version as version, jsonb_path_exists(result, '$.segments[*] ? (@.voxels > 0)') as "isFound",
         (result->>'uncertainty')::double precision as uncertainty,
         result->'uncertaintyBySegment' as "uncertaintyBySegment", created_at
       from prediction where model_name = $1 and result is not null
       order by series_instance_uid, volume, (model_version = $2) desc, created_at desc
     ) counting order by created_at`,
    [modelName, version],
  );
}

/** What readers have submitted for a volume. */
export interface AnswerRow {
  readonly seriesInstanceUid: string;
  readonly volume: string;
  /** Of the submission that counts: what an administrator prefers, else the newest. */
  readonly kind: 'edited' | 'accepted';
  /** Submissions of two or more readers stand and none is preferred. */
  readonly isConflict: boolean;
}

/** Of each volume with a submission that has not been withdrawn, the newest last. */
export function listAnswers(db: Queryable, modelName: string): Promise<readonly AnswerRow[]> {
  return db.query<AnswerRow>(
    `select series_instance_uid as "seriesInstanceUid", volume,
       (array_agg(kind order by (preferred is not null) desc, seq desc))[1] as kind,
       count(distinct reader) > 1 and not bool_or(preferred is not null) as "isConflict"
     from correction where model_name = $1 and withdrawn is null
     group by series_instance_uid, volume order by max(seq)`,
    [modelName],
  );
}

/** A volume that a version could not segment. */
export interface FailureRow {
  readonly seriesInstanceUid: string;
  readonly volume: string;
  readonly at: Date;
  /** Stable code of the fault. */
  readonly code: string;
}

/** Of each volume that a version failed to segment, the last time. */
export function listFailures(db: Queryable, modelName: string, version: number): Promise<readonly FailureRow[]> {
  return db.query<FailureRow>(
    `select distinct on (series_instance_uid, volume) series_instance_uid as "seriesInstanceUid", volume,
       prediction.created_at as at, coalesce(job.error->>'code', '') as code
     from prediction join job_progress job on job.id = prediction.job_id
     where model_name = $1 and model_version = $2 and job.state = 'failed'
     order by series_instance_uid, volume, prediction.created_at desc`,
    [modelName, version],
  );
}

/** Rounds of a model that are done, whatever became of their candidates. */
export async function countRoundsDone(db: Queryable, modelName: string): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `select count(*)::integer as count from training_round where model_name = $1 and state = 'done'`,
    [modelName],
  );
  return row?.count ?? 0;
}
