import type { Act } from './audit.ts';
import type { Queryable } from './database.ts';

/** Where a mask comes from that was made elsewhere and lay in the PACS already; no free text of its object is kept. */
export interface Imported {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of the file, as it was read. */
  readonly sha256: string;
  /** Its structures: which segment of the card each became (0: left out), what told so, and SegmentAlgorithmType or the like. */
  readonly structures: readonly {
    readonly number: number;
    readonly segment: number;
    readonly by: 'code' | 'label' | 'person';
    readonly algorithmType: string;
  }[];
  /** Carried over from another grid. */
  readonly resampled: boolean;
  /** Slices that it says nothing of were vouched for as empty. */
  readonly everySlice: boolean;
}

/** One row of `correction`: a reader's final labelmap and the objects it is stored as. */
export interface CorrectionRow {
  readonly id: string;
  readonly predictionId: string;
  /** Fixed before the first STOW: a repeated one stores the same object. Of an imported mask the object it was read from. */
  readonly segSopInstanceUid: string;
  readonly segSeriesInstanceUid: string;
  readonly segSeriesDescription: string;
  /** Of the SEG file once written, or as imported; a repeated export makes the same bytes. */
  readonly segSha256: string | null;
  /** Of the report with the volumes, fixed as the SEG's are; null for what was imported, and from before there were reports. */
  readonly srSopInstanceUid: string | null;
  readonly srSeriesInstanceUid: string | null;
  readonly state: 'storing' | 'stored';
  readonly exportJobId: string | null;
  /** Subject of the reader's token. */
  readonly reader: string;
  readonly idempotencyKey: string;
  readonly bodySha256: string;
  readonly kind: 'edited' | 'accepted';
  /** Blob of the gzip labelmap envelope as it was sent. */
  readonly labelmapSha256: string;
  /** Ids of the slices the reader vouches for. */
  readonly approvedSlices: readonly string[];
  readonly changedVoxels: number;
  readonly dice: number | null;
  /** On the slices vouched for, segment 1 first; null: neither the model nor the reader shows it. */
  readonly diceBySegment: readonly (number | null)[];
  readonly notes: readonly string[];
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of a series with several volumes the one it is of; else empty. */
  readonly volume: string;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly trackingUid: string;
  readonly subjectKey: string;
  readonly heldOut: boolean;
  /** Null for a mask from the panel. */
  readonly imported: Imported | null;
  readonly usedInRound: string | null;
  readonly createdAt: Date;
  /** Taken back by its reader or an administrator. */
  readonly withdrawn: Act | null;
  /** An administrator prefers it to newer ones of its series. */
  readonly preferred: Act | null;
}

export type NewCorrection = Omit<CorrectionRow, 'state' | 'usedInRound' | 'createdAt' | 'withdrawn' | 'preferred'>;

const fields = {
  id: 'id',
  predictionId: 'prediction_id',
  segSopInstanceUid: 'seg_sop_instance_uid',
  segSeriesInstanceUid: 'seg_series_instance_uid',
  segSeriesDescription: 'seg_series_description',
  segSha256: 'seg_sha256',
  srSopInstanceUid: 'sr_sop_instance_uid',
  srSeriesInstanceUid: 'sr_series_instance_uid',
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
  volume: 'volume',
  modelName: 'model_name',
  modelVersion: 'model_version',
  trackingUid: 'tracking_uid',
  subjectKey: 'subject_key',
  heldOut: 'held_out',
  imported: 'imported',
} as const satisfies Record<keyof NewCorrection, string>;

/** Columns of a {@link CorrectionRow}, as a query selects them. */
export const correctionColumns = Object.entries({
  ...fields,
  state: 'state',
  usedInRound: 'used_in_round',
  createdAt: 'created_at',
  withdrawn: 'withdrawn',
  preferred: 'preferred',
})
  .map(([key, column]) => `${column} as "${key}"`)
  .join(', ');

/**
 * @returns false when the reader used the idempotency key before, or the imported object is a correction under the model
 *   already; nothing is written then.
 */
export async function insertCorrection(db: Queryable, row: NewCorrection): Promise<boolean> {
  const keys = Object.keys(fields) as (keyof NewCorrection)[];
  const places = keys.map((_, index) => `$${index + 1}`).join(', ');
  const inserted = await db.query(
    `insert into correction (${keys.map((key) => fields[key]).join(', ')}) values (${places})
     on conflict do nothing returning id`,
    keys.map((key) => (key === 'imported' ? row.imported && JSON.stringify(row.imported) : row[key])),
  );
  return inserted.length > 0;
}

export async function readCorrection(db: Queryable, id: string): Promise<CorrectionRow | undefined> {
  const [row] = await db.query<CorrectionRow>(`select ${correctionColumns} from correction where id = $1`, [id]);
  return row;
}

export async function readCorrectionByKey(
  db: Queryable,
  reader: string,
  idempotencyKey: string,
): Promise<CorrectionRow | undefined> {
  const [row] = await db.query<CorrectionRow>(
    `select ${correctionColumns} from correction where reader = $1 and idempotency_key = $2`,
    [reader, idempotencyKey],
  );
  return row;
}

/** The correction under a model that an object of the PACS is, handed in here or imported, unless it was taken back. */
export async function readCorrectionByObject(
  db: Queryable,
  modelName: string,
  sopInstanceUid: string,
): Promise<CorrectionRow | undefined> {
  const [row] = await db.query<CorrectionRow>(
    `select ${correctionColumns} from correction
     where model_name = $1 and seg_sop_instance_uid = $2 and withdrawn is null`,
    [modelName, sopInstanceUid],
  );
  return row;
}

/** Corrections that the PACS does not hold yet, oldest first: what a restarted server goes on with. */
export function listStoringCorrections(db: Queryable): Promise<readonly CorrectionRow[]> {
  return db.query<CorrectionRow>(`select ${correctionColumns} from correction where state = 'storing' order by seq`);
}

/** Notes the job that now stores the objects. */
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

/** Takes a correction back. @returns false when it was before. */
export async function withdrawCorrection(db: Queryable, id: string, act: Act): Promise<boolean> {
  const rows = await db.query(
    'update correction set withdrawn = $2::jsonb where id = $1 and withdrawn is null returning id',
    [id, JSON.stringify(act)],
  );
  return rows.length > 0;
}

/** Prefers a correction to all others of its volume under its model. */
export async function preferCorrection(db: Queryable, id: string, act: Act): Promise<void> {
  await db.query(
    `update correction set preferred = case when correction.id = $1 then $2::jsonb end
     from correction chosen where chosen.id = $1 and correction.model_name = chosen.model_name
       and correction.series_instance_uid = chosen.series_instance_uid and correction.volume = chosen.volume`,
    [id, JSON.stringify(act)],
  );
}
