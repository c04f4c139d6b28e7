import type { Queryable } from './database.ts';
import type { JobState } from './job-progress.ts';

/** One segment as the reader is told about it. */
export interface SegmentFigure {
  readonly number: number;
  readonly label: string;
  readonly voxels: number;
  readonly ml: number;
  /** sRGB 0..255. */
  readonly colour: readonly number[];
}

/** What an inference gives beside its labelmap. */
export interface PredictionResult {
  readonly segments: readonly SegmentFigure[];
  /** Numbers of the expected segments that were not found; absent in results of versions that did not look. */
  readonly missingSegments?: readonly number[];
  /** Whether the image looks unlike those that the model was made for; absent in results of versions that did not look. */
  readonly isStrange?: boolean;
  /** Mean normalised entropy near the mask, 0..1; 1 when an expected segment was not found or the image is strange. */
  readonly uncertainty: number;
  /** The same near each segment, segment 1 first; null: not found and not expected. Absent in results of versions that did not look. */
  readonly uncertaintyBySegment?: readonly (number | null)[];
  readonly timingsMs: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/** One row of `prediction`, with the state of its job. */
export interface PredictionRow {
  readonly id: string;
  readonly jobId: string;
  readonly state: JobState;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of a series with several volumes the one it is of; else empty. */
  readonly volume: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly modelSha256: string;
  readonly trackingUid: string;
  readonly requestedBy: string;
  readonly requestSha256: string;
  readonly labelmapSha256: string | null;
  /** Null also for predictions of versions that kept no map. */
  readonly uncertaintySha256: string | null;
  readonly result: PredictionResult | null;
  /** Whose series it is; null until the job is done. */
  readonly subjectKey: string | null;
}

export type NewPrediction = Omit<
  PredictionRow,
  'state' | 'labelmapSha256' | 'uncertaintySha256' | 'result' | 'subjectKey'
> & {
  readonly idempotencyKey: string | null;
};

const select = `select p.id, p.job_id as "jobId", j.state, p.study_instance_uid as "studyInstanceUid",
  p.series_instance_uid as "seriesInstanceUid", p.volume, p.model_name as "modelName", p.model_version as "modelVersion",
  p.model_sha256 as "modelSha256", p.tracking_uid as "trackingUid", p.requested_by as "requestedBy",
  p.request_sha256 as "requestSha256", p.labelmap_sha256 as "labelmapSha256",
  p.uncertainty_sha256 as "uncertaintySha256", p.result,
  p.subject_key as "subjectKey"
  from prediction p join job_progress j on j.id = p.job_id`;

/** @returns false when `requestedBy` used the idempotency key before; nothing is written then. */
export async function insertPrediction(db: Queryable, row: NewPrediction): Promise<boolean> {
  const inserted = await db.query(
    `insert into prediction (id, job_id, study_instance_uid, series_instance_uid, volume, model_name, model_version,
       model_sha256, tracking_uid, requested_by, request_sha256, idempotency_key)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (requested_by, idempotency_key) do nothing returning id`,
    [
      row.id,
      row.jobId,
      row.studyInstanceUid,
      row.seriesInstanceUid,
      row.volume,
      row.modelName,
      row.modelVersion,
      row.modelSha256,
      row.trackingUid,
      row.requestedBy,
      row.requestSha256,
      row.idempotencyKey,
    ],
  );
  return inserted.length > 0;
}

export async function readPrediction(db: Queryable, id: string): Promise<PredictionRow | undefined> {
  const [row] = await db.query<PredictionRow>(`${select} where p.id = $1`, [id]);
  return row;
}

/** The newest finished prediction of a volume by a version, whoever asked for it. */
export async function readNewestPrediction(
  db: Queryable,
  { seriesInstanceUid, volume }: Pick<PredictionRow, 'seriesInstanceUid' | 'volume'>,
  model: { readonly name: string; readonly version: number },
): Promise<PredictionRow | undefined> {
  const [row] = await db.query<PredictionRow>(
    `${select} where p.series_instance_uid = $1 and p.volume = $2 and p.model_name = $3 and p.model_version = $4
       and p.labelmap_sha256 is not null and p.subject_key is not null
     order by p.created_at desc limit 1`,
    [seriesInstanceUid, volume, model.name, model.version],
  );
  return row;
}

/** The prediction that `requestedBy` asked for under `key` before. */
export async function readPredictionByKey(
  db: Queryable,
  requestedBy: string,
  key: string,
): Promise<PredictionRow | undefined> {
  const [row] = await db.query<PredictionRow>(`${select} where p.requested_by = $1 and p.idempotency_key = $2`, [
    requestedBy,
    key,
  ]);
  return row;
}

/** Keeps the outcome; writing it again (a repeated job) is harmless, because the same input gives the same blob. */
export async function finishPrediction(
  db: Queryable,
  id: string,
  outcome: {
    readonly labelmapSha256: string;
    readonly uncertaintySha256: string;
    readonly result: PredictionResult;
    readonly subjectKey: string;
  },
): Promise<void> {
  await db.query(
    `update prediction set labelmap_sha256 = $2, uncertainty_sha256 = $3, result = $4::jsonb, subject_key = $5
     where id = $1`,
    [id, outcome.labelmapSha256, outcome.uncertaintySha256, JSON.stringify(outcome.result), outcome.subjectKey],
  );
}

/**
 * The tracking UID of a volume under a model: the first caller's `proposedUid` is kept for ever, so that all SEGs of
 * one case carry the same (PS3.3 C.8.20.2, Tracking UID).
 */
export async function trackCase(
  db: Queryable,
  studyCase: Pick<PredictionRow, 'studyInstanceUid' | 'seriesInstanceUid' | 'volume' | 'modelName'>,
  proposedUid: string,
): Promise<string> {
  const [row] = await db.query<{ uid: string }>(
    `insert into study_case (series_instance_uid, volume, model_name, study_instance_uid, tracking_uid)
     values ($1, $2, $3, $4, $5)
     on conflict (series_instance_uid, volume, model_name) do update set model_name = excluded.model_name
     returning tracking_uid as uid`,
    [studyCase.seriesInstanceUid, studyCase.volume, studyCase.modelName, studyCase.studyInstanceUid, proposedUid],
  );
  return row?.uid ?? proposedUid;
}
