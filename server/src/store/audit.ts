import type { Queryable } from './database.ts';

/** Acts that are written down. */
export type AuditAction =
  | 'case-opened'
  | 'inference-started'
  | 'job-cancelled'
  | 'correction-submitted'
  | 'correction-imported'
  | 'correction-stored'
  | 'correction-withdrawn'
  | 'correction-preferred'
  | 'series-excluded'
  | 'series-included'
  | 'study-forgotten'
  | 'round-started'
  | 'rounds-paused'
  | 'rounds-resumed'
  | 'model-pinned'
  | 'model-unpinned'
  | 'candidate-refused'
  | 'verdict'
  | 'model-promoted'
  | 'model-rolled-back';

/** An act as it is written down. */
export interface AuditRow {
  /** Subject of the token, or `server`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** Identifiers and figures of what was acted on; never patient data. */
  readonly object: Readonly<Record<string, string | number | boolean>>;
}

/** Who decided something, when and why, as it stands in the row that it is about. */
export interface Act {
  /** Subject of the token. */
  readonly actor: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Appends a row, in the transaction of the act itself; the table refuses any change of rows. */
export async function appendAudit(db: Queryable, row: AuditRow): Promise<void> {
  await db.query('insert into audit (actor, action, object) values ($1, $2, $3::jsonb)', [
    row.actor,
    row.action,
    JSON.stringify(row.object),
  ]);
}
