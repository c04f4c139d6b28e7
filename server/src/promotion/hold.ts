import { type AuditAction, appendAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import { deleteHold, type HoldTable, insertHold } from '../store/holds.ts';
import type { Decision } from './promote.ts';

/** How each stop is written down when it is set and when it is taken away. */
const actions = {
  round_pause: ['rounds-paused', 'rounds-resumed'],
  model_pin: ['model-pinned', 'model-unpinned'],
} as const satisfies Record<HoldTable, readonly [AuditAction, AuditAction]>;

/** Stops rounds of a model, or keeps its version in service, until further notice. The model must exist. */
export async function hold(
  database: Database,
  table: HoldTable,
  model: string,
  { actor, reason }: Decision,
): Promise<void> {
  await database.transaction(async (tx) => {
    await insertHold(tx, table, { modelName: model, actor, reason });
    await appendAudit(tx, { actor, action: actions[table][0], object: { model, reason } });
  });
}

/** Takes a stop away. @returns false when there was none. */
export function release(database: Database, table: HoldTable, model: string, actor: string): Promise<boolean> {
  return database.transaction(async (tx) => {
    if (!(await deleteHold(tx, table, model))) return false;
    await appendAudit(tx, { actor, action: actions[table][1], object: { model } });
    return true;
  });
}
