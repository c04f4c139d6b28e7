import { createHmac } from 'node:crypto';
import type { Queryable } from './database.ts';

/** What names a patient in DICOM (PS3.3 C.7.1.1). Only its keyed hash is ever kept. */
export interface PatientIdentity {
  readonly patientId: string;
  readonly issuerOfPatientId?: string;
}

/** A patient as the server knows one. */
export interface Subject {
  /** Keyed hash of the identity, 64 hex digits. */
  readonly key: string;
  /** Corrections of held-out patients check candidates and never train. */
  readonly heldOut: boolean;
}

/** HMAC-SHA256 of the identity: without `secret` it cannot be recomputed from a list of patient ids. */
export function subjectKey(secret: Uint8Array, identity: PatientIdentity): string {
  const text = JSON.stringify([identity.issuerOfPatientId ?? '', identity.patientId]);
  return createHmac('sha256', secret).update(text).digest('hex');
}

/**
 * The subject of a patient; whether it is held out is decided at the first call and kept for ever, also when
 * `heldOutPercent` changes later.
 */
export async function resolveSubject(
  db: Queryable,
  secret: Uint8Array,
  identity: PatientIdentity,
  heldOutPercent: number,
): Promise<Subject> {
  const key = subjectKey(secret, identity);
  // The hash is uniform, so its first 32 bits draw the lot: the same patient always draws the same one.
  const heldOut = (Number.parseInt(key.slice(0, 8), 16) / 2 ** 32) * 100 < heldOutPercent;
  const [row] = await db.query<Subject>(
    `insert into subject (key, held_out) values ($1, $2)
     on conflict (key) do update set key = excluded.key returning key, held_out as "heldOut"`,
    [key, heldOut],
  );
  return row ?? { key, heldOut };
}

/** @returns undefined for a key that was never resolved. */
export async function readSubject(db: Queryable, key: string): Promise<Subject | undefined> {
  const [row] = await db.query<Subject>('select key, held_out as "heldOut" from subject where key = $1', [key]);
  return row;
}
