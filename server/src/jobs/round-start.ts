import { randomUUID } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import { decideRound, type RoundDecision, type RoundPolicy } from '../round/policy.ts';
import { appendAudit } from '../store/audit.ts';
import type { Database, Queryable } from '../store/database.ts';
import { type Hold, readHold } from '../store/holds.ts';
import { countPool, listModelsToTeach, type PoolCounts } from '../store/pool.ts';
import { hasFailedLast, insertRound, listRoundStarts, type RoundRow, readOpenRound } from '../store/rounds.ts';
import type { Log } from '../telemetry/log.ts';
import { startClock } from './clock.ts';
import type { JobQueue } from './queue.ts';

/** The version in service of a model, from which a round starts. Resolve it before the transaction begins. */
export interface RoundStart {
  readonly modelName: string;
  readonly fromVersion: number;
  readonly trigger: RoundRow['trigger'];
  /** Subject of the token that asked for it; `server` when it started by itself. */
  readonly owner: string;
}

/** Queues a round in the caller's transaction. @returns its id, or undefined when one of this model is open. */
export async function openRound(tx: Queryable, queue: JobQueue, start: RoundStart): Promise<string | undefined> {
  const { modelName, fromVersion, trigger, owner } = start;
  await lockModel(tx, modelName);
  if (await readOpenRound(tx, modelName)) return undefined;
  const roundId = randomUUID();
  const jobId = await queue.send('train', { roundId }, { owner, key: modelName, tx });
  if (jobId === undefined) return undefined;
  await insertRound(tx, { id: roundId, jobId, modelName, trigger, fromVersion });
  await appendAudit(tx, { actor: owner, action: 'round-started', object: { roundId, model: modelName, trigger } });
  return roundId;
}

/** Starts a round when the policy says so. */
export async function openRoundIfDue(
  tx: Queryable,
  queue: JobQueue,
  start: Omit<RoundStart, 'owner'>,
  policy: RoundPolicy,
): Promise<void> {
  await lockModel(tx, start.modelName);
  // Mostly corrections are missing, and then nothing else is asked.
  const { unused } = await countPool(tx, start.modelName);
  if (unused < policy.correctionsPerRound) return;
  const { start: isDue } = await decideNow(tx, start.modelName, policy);
  if (isDue) await openRound(tx, queue, { ...start, owner: 'server' });
}

/** What the policy says of a model at this moment, and what it was told of it. */
export async function decideNow(
  db: Queryable,
  modelName: string,
  policy: RoundPolicy,
): Promise<RoundDecision & { readonly pool: PoolCounts; readonly pause: Hold | undefined }> {
  const now = new Date();
  const dayAgo = new Date(now.getTime() - 24 * 3_600_000);
  const pool = await countPool(db, modelName);
  const pause = await readHold(db, 'round_pause', modelName);
  const facts = {
    unusedCorrections: pool.unused,
    roundOpen: (await readOpenRound(db, modelName)) !== undefined,
    isPaused: pause !== undefined,
    failedWithThese: await hasFailedLast(db, modelName),
    starts: await listRoundStarts(db, modelName, dayAgo),
    now,
  };
  return { ...decideRound(facts, policy), pool, pause };
}

/** Two requests must not both see "no round open". The lock ends with the transaction. */
function lockModel(tx: Queryable, modelName: string): Promise<unknown> {
  return tx.query('select pg_advisory_xact_lock(hashtext($1))', [`round ${modelName}`]);
}

/** How often rounds are looked for that only time has made due. */
const clockMs = 60_000;

/** Starts rounds that had to wait: for their hours, for a gap, for the next day. @returns what ends it. */
export function startRoundClock(parts: {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly policy: RoundPolicy;
  readonly log: Log;
}): () => Promise<void> {
  const { log } = parts;
  return startClock(clockMs, () => openDueRounds(parts), { log, what: 'Rounds that are due could not be looked for' });
}

/** Starts a round of every model for which the policy says so now. */
export async function openDueRounds({
  database,
  queue,
  registry,
  policy,
}: Omit<Parameters<typeof startRoundClock>[0], 'log'>): Promise<void> {
  for (const modelName of await listModelsToTeach(database)) {
    const found = (await registry.list()).some(({ card }) => card.name === modelName);
    // Corrections outlive a model that was taken away.
    if (!found) continue;
    const { card } = await registry.resolve(modelName);
    await database.transaction((tx) =>
      openRoundIfDue(tx, queue, { modelName, fromVersion: card.version, trigger: 'clock' }, policy),
    );
  }
}
