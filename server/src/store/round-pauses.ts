import type { Queryable } from './database.ts';

/** One row of `round_pause`. */
export interface RoundPause {
  readonly modelName: string;
  /** Subject of the token that asked for it. */
  readonly actor: string;
  readonly reason: string;
  readonly since: Date;
}

export async function readPause(db: Queryable, modelName: string): Promise<RoundPause | undefined> {
  const [row] = await db.query<RoundPause>(
    `select model_name as "modelName", actor, reason, since from round_pause where model_name = $1`,
    [modelName],
  );
  return row;
}

/** Paused again: the newer reason stands, the older time. */
export async function insertPause(db: Queryable, pause: Omit<RoundPause, 'since'>): Promise<void> {
  await db.query(
    `insert into round_pause (model_name, actor, reason) values ($1, $2, $3)
     on conflict (model_name) do update set actor = excluded.actor, reason = excluded.reason`,
    [pause.modelName, pause.actor, pause.reason],
  );
}

/** @returns false when there was no pause. */
export async function deletePause(db: Queryable, modelName: string): Promise<boolean> {
  return (await db.query('delete from round_pause where model_name = $1 returning model_name', [modelName])).length > 0;
}
