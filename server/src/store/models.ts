import type { Queryable } from './database.ts';

/** A version made in service; its files lie in `UNCOL_HOME/models/<name>/<version>`. */
export interface ModelVersionRow {
  readonly name: string;
  readonly version: number;
  /** Of the weights file. */
  readonly sha256: string;
  readonly parent: number | null;
  readonly roundId: string | null;
  readonly createdAt: Date;
}

export async function insertModelVersion(db: Queryable, row: Omit<ModelVersionRow, 'createdAt'>): Promise<void> {
  await db.query(
    `insert into model_version (name, version, sha256, parent, round_id) values ($1, $2, $3, $4, $5)
     on conflict (name, version) do nothing`,
    [row.name, row.version, row.sha256, row.parent, row.roundId],
  );
}

/** Versions made in service, of one model or of all, by name and version. */
export function listModelVersions(db: Queryable, name?: string): Promise<readonly ModelVersionRow[]> {
  return db.query<ModelVersionRow>(
    `select name, version, sha256, parent, round_id as "roundId", created_at as "createdAt" from model_version
     where $1::text is null or name = $1 order by name, version`,
    [name ?? null],
  );
}

/** Version in service of each model whose alias was ever moved. */
export async function readAliases(db: Queryable): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query<{ name: string; version: number }>('select name, version from model_alias');
  return new Map(rows.map((row) => [row.name, row.version]));
}

/**
 * The version that {@link moveAlias} last put in service, if any did. Until the transaction ends, no other one moves it.
 */
export async function holdAlias(tx: Queryable, name: string): Promise<number | undefined> {
  await lockAlias(tx, name);
  const [row] = await tx.query<{ version: number }>('select version from model_alias where name = $1', [name]);
  return row?.version;
}

/** A lock of the name and not of the row: there is none before the first move. */
function lockAlias(tx: Queryable, name: string): Promise<unknown> {
  return tx.query('select pg_advisory_xact_lock(hashtext($1))', [`alias ${name}`]);
}

/** Puts a version in service; call it in the transaction that writes the audit row. */
export async function moveAlias(db: Queryable, name: string, version: number): Promise<void> {
  await lockAlias(db, name);
  await db.query(
    `insert into model_alias (name, version) values ($1, $2)
     on conflict (name) do update set version = excluded.version, moved_at = now()`,
    [name, version],
  );
}

/** A version put in service, and the one that served before. */
export interface PromotionRow {
  readonly name: string;
  readonly version: number;
  readonly previous: number;
  /** Subject of the token, or `server`. */
  readonly actor: string;
  /** A person's, or the verdict of the gate. */
  readonly reason: string;
}

/** Call it in the transaction that moves the alias. */
export async function insertPromotion(tx: Queryable, row: PromotionRow): Promise<void> {
  await tx.query('insert into promotion (name, version, previous, actor, reason) values ($1, $2, $3, $4, $5)', [
    row.name,
    row.version,
    row.previous,
    row.actor,
    row.reason,
  ]);
}

/** Marks the latest promotion of a model that still stands as taken back; undefined when none stands. */
export async function takeBackPromotion(
  tx: Queryable,
  name: string,
  by: Pick<PromotionRow, 'actor' | 'reason'>,
): Promise<PromotionRow | undefined> {
  await lockAlias(tx, name);
  const [row] = await tx.query<PromotionRow>(
    `update promotion set taken_back_at = now(), taken_back_by = $2, taken_back_reason = $3
     where seq = (select max(seq) from promotion where name = $1 and taken_back_at is null)
     returning name, version, previous, actor, reason`,
    [name, by.actor, by.reason],
  );
  return row;
}
