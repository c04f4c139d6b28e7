import { statfs } from 'node:fs/promises';
import { AppError } from '../errors/app-error.ts';
import { type Card, seesSlices } from '../registry/card.ts';

/** What is free on this machine, bytes. */
export interface Room {
  readonly disk: number;
  readonly memory: number;
}

/** Disk below `folder`, and memory as far as this process may take it. */
export async function measureRoom(folder: string): Promise<Room> {
  const { bavail, bsize } = await statfs(folder);
  return { disk: bavail * bsize, memory: process.availableMemory() };
}

/** Kept free beside what a round writes: database, blobs and log go on meanwhile. */
const spareDisk = 300e6;
/** Peaks of a round with the full student, and what its slices or windows take (test/bench/stage-two.md). */
const memoryOf = { slices: 1.5e9, windows: 3e9 };

/** What a round of a model needs: student, EMA and both moments in a checkpoint of which two stand at a time, weights. */
export function neededRoom(card: Pick<Card, 'architecture'>): Room {
  const bytes = card.architecture.inferenceParameters * 4;
  return { disk: spareDisk + 2 * 5 * bytes + 2 * bytes, memory: seesSlices(card) ? memoryOf.slices : memoryOf.windows };
}

/**
 * Refuses to begin a round for which there is no room.
 *
 * @throws AppError `disk-full`, `memory-short`; both are tried again later.
 */
export function checkRoom(free: Room, needed: Room): void {
  const inGb = (bytes: number) => Number((bytes / 1e9).toFixed(1));
  const detail = (what: keyof Room) => ({ neededGb: inGb(needed[what]), freeGb: inGb(free[what]) });
  const words = (what: keyof Room) => `A round needs ${inGb(needed[what])} GB, ${inGb(free[what])} GB are free`;
  if (free.disk < needed.disk) throw new AppError('disk-full', `${words('disk')} below UNCOL_HOME.`, detail('disk'));
  if (free.memory < needed.memory)
    throw new AppError('memory-short', `${words('memory')} in memory.`, detail('memory'));
}
