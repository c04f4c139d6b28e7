import type { Queryable } from './database.ts';

/**
 * What an administrator has stopped of a model until further notice: `round_pause`, no round starts by itself; `model_pin`,
 * the version in service stays, whatever rounds find.
 */
export type HoldTable = 'round_pause' | 'model_pin';

export interface Hold {
  readonly modelName: string;
  /** Subject of the token that asked for it. */
  readonly actor: string;
  readonly reason: string;
  readonly since: Date;
}

export async function readHold(db: Queryable, table: HoldTable, modelName: string): Promise<Hold | undefined> {
  const [row] = await db.query<Hold>(
    `select model_name as "modelName", actor, reason, since from ${table} where model_name = $1`,
    [modelName],
  );
  return row;
}

/** Held again: the newer reason stands, the older time. */
export async function insertHold(db: Queryable, table: HoldTable, hold: Omit<Hold, 'since'>): Promise<void> {
  await db.query(
    `insert into ${table} (model_name, actor, reason) values ($1, $2, $3)
     on conflict (model_name) do update set actor = excluded.actor, reason = excluded.reason`,
    [hold.modelName, hold.actor, hold.reason],
  );
}

/** @returns false when there was none. */
export async function deleteHold(db: Queryable, table: HoldTable, modelName: string): Promise<boolean> {
  const rows = await db.query(`delete from ${table} where model_name = $1 returning model_name`, [modelName]);
  return rows.length > 0;
}
