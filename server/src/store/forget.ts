import type { Queryable } from './database.ts';

/** A version that has learnt from a study or was judged by it, itself or through a version it was made from. */
export interface TouchedVersion {
  readonly modelName: string;
  readonly version: number;
  /** `direct`: its own round; `inherited`: a version it descends from. */
  readonly how: 'direct' | 'inherited';
}

/** Whether the plan of a round holds the study of $1, a JSON list of one reference. */
const readsStudy = ['corrections', 'unlabelled', 'heldOut'].map((part) => `plan->'${part}' @> $1::jsonb`).join(' or ');

/** Every version in whose making a study had a part, by model and version. */
export async function listTouchedVersions(db: Queryable, studyInstanceUid: string): Promise<readonly TouchedVersion[]> {
  return db.query<TouchedVersion>(
    `with recursive direct as (
       select model_name as name, to_version as version from training_round
       where to_version is not null and (
         ${readsStudy}
       )
     ), touched as (
       select name, version from direct
       union
       select child.name, child.version from model_version child
       join touched on child.name = touched.name and child.parent = touched.version
     )
     select distinct name as "modelName", version,
       case when exists (select 1 from direct where direct.name = touched.name and direct.version = touched.version)
         then 'direct' else 'inherited' end as how
     from touched order by 1, 2`,
    [JSON.stringify([{ studyInstanceUid }])],
  );
}

/** Rounds that have not ended and whose plan holds the study. */
export async function listRoundsWith(db: Queryable, studyInstanceUid: string): Promise<readonly string[]> {
  const rows = await db.query<{ id: string }>(
    `select id from training_round where state not in ('done', 'failed') and (
       ${readsStudy}
     )`,
    [JSON.stringify([{ studyInstanceUid }])],
  );
  return rows.map(({ id }) => id);
}

/** Lets no round learn from a study or be judged by it any more. Forgotten again: the first reason stands. */
export async function insertForgotten(
  tx: Queryable,
  row: { readonly studyInstanceUid: string; readonly actor: string; readonly reason: string },
): Promise<void> {
  await tx.query(
    'insert into forgotten_study (study_instance_uid, actor, reason) values ($1, $2, $3) on conflict do nothing',
    [row.studyInstanceUid, row.actor, row.reason],
  );
}

/** Whether nothing of a study may be given out. */
export async function isForgotten(db: Queryable, studyInstanceUid: string): Promise<boolean> {
  const rows = await db.query('select from forgotten_study where study_instance_uid = $1', [studyInstanceUid]);
  return rows.length > 0;
}

/** Study Instance UIDs. */
export async function listForgotten(db: Queryable): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ uid: string }>('select study_instance_uid as uid from forgotten_study');
  return new Set(rows.map(({ uid }) => uid));
}
