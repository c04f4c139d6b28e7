import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ErrorRecord } from '../errors/app-error.ts';
import type { Database } from '../store/database.ts';
import { giveBack } from '../store/pool.ts';
import { listAbandonedRounds, readRound, updateRound } from '../store/rounds.ts';
import type { JobQueue } from './queue.ts';

const lost: ErrorRecord = { code: 'child-lost', message: 'The job of this round ended without it.', detail: {} };
const cancelled: ErrorRecord = { code: 'job-cancelled', message: 'The job was cancelled.', detail: {} };

/**
 * Ends a round that will not be tried again; the version in service stays. Its corrections are unused again, so that the
 * next one can start another round.
 * @returns false when the round has ended before.
 */
export function failRound(database: Database, roundId: string, error: ErrorRecord): Promise<boolean> {
  return database.transaction(async (tx) => {
    const isFirst = await updateRound(tx, roundId, { state: 'failed', error, finishedAt: new Date() });
    if (isFirst) await giveBack(tx, roundId);
    return isFirst;
  });
}

/**
 * Ends rounds whose job has ended without them, as a crash between the two leaves them: an open round keeps every other
 * round of its model from starting.
 */
export async function endAbandonedRounds(database: Database, queue: JobQueue): Promise<void> {
  for (const { id, jobId, jobState, error } of await listAbandonedRounds(database)) {
    const isCancelled = jobState === 'cancelled';
    // The queue may still hold it, and would take no other job of the model.
    if (isCancelled) await queue.cancel(jobId);
    await failRound(database, id, error ?? (isCancelled ? cancelled : lost));
  }
}

/**
 * Removes what a round that has ended kept for going on: checkpoint and candidate weights. What cannot be removed now is
 * removed by {@link removeEndedRounds} of the next start.
 */
export async function removeRoundFolder(folder: string, roundId: string): Promise<void> {
  await rm(join(folder, roundId), { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

/** Removes the folders of all rounds that have ended, or of which the database knows nothing. */
export async function removeEndedRounds(database: Database, folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(name)) continue;
    const round = await readRound(database, name);
    if (!round || round.state === 'done' || round.state === 'failed') await removeRoundFolder(folder, name);
  }
}
