import type { Queryable } from './database.ts';

/** One row of `case_claim`: who opened a case of a worklist last. */
export interface CaseClaim {
  readonly modelName: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Subject of the token. */
  readonly reader: string;
  readonly orderUsed: 'uncertainty' | 'random' | 'worklist';
  /** Place in that order, 1 = first. */
  readonly rank: number;
}

/** A claim of the last minutes. */
export interface RecentClaim extends Pick<CaseClaim, 'studyInstanceUid' | 'reader'> {
  /** False once the reader has gone on to another case or has answered this one. */
  readonly isOpen: boolean;
}

/** Claims of a model that are not older than `minutes`, newest last. */
export function listClaims(db: Queryable, modelName: string, minutes: number): Promise<readonly RecentClaim[]> {
  return db.query<RecentClaim>(
    `select study_instance_uid as "studyInstanceUid", reader, released_at is null and not exists (
       select 1 from correction
       where correction.model_name = claim.model_name and correction.series_instance_uid = claim.series_instance_uid
         and correction.reader = claim.reader and correction.created_at >= claim.claimed_at
     ) as "isOpen"
     from case_claim claim where model_name = $1 and claimed_at > now() - make_interval(mins => $2)
     order by claimed_at`,
    [modelName, minutes],
  );
}

/** Until the transaction ends, nobody else opens a case of the model: two readers would be offered the same. */
export async function holdClaims(tx: Queryable, modelName: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`cases ${modelName}`]);
}

/** Gives the reader a case and back what the reader had open of the model. Call it under {@link holdClaims}. */
export async function insertClaim(tx: Queryable, claim: CaseClaim): Promise<void> {
  await tx.query(
    `update case_claim set released_at = now()
     where model_name = $1 and reader = $2 and released_at is null and series_instance_uid <> $3`,
    [claim.modelName, claim.reader, claim.seriesInstanceUid],
  );
  await tx.query(
    `insert into case_claim (model_name, series_instance_uid, study_instance_uid, reader, order_used, rank)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (model_name, series_instance_uid) do update set study_instance_uid = excluded.study_instance_uid,
       reader = excluded.reader, order_used = excluded.order_used, rank = excluded.rank, claimed_at = now(), released_at = null`,
    [claim.modelName, claim.seriesInstanceUid, claim.studyInstanceUid, claim.reader, claim.orderUsed, claim.rank],
  );
}
