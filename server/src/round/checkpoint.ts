import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import type { TrainingState } from '../engine/ops.ts';
import { AppError } from '../errors/app-error.ts';

/** Training state with what else a run needs to go on exactly where it was. `extra` must survive JSON. */
export interface Checkpoint<Extra> {
  /** {@link hashWork} of what the run does: only the same run may go on from here. */
  readonly workSha256: string;
  readonly state: TrainingState;
  /** Best weights so far; absent before the first evaluation. */
  readonly best?: Float32Array;
  readonly extra: Extra;
}

interface Head<Extra> {
  readonly format: 'uncol-checkpoint-1';
  readonly tableHash: string;
  readonly workSha256: string;
  readonly step: number;
  readonly size: number;
  readonly hasBest: boolean;
  /** Elements of the best weights, where they are not as many as those of the state: only training knows the others. */
  readonly bestSize?: number;
  readonly extra: Extra;
}

const vectors = ['student', 'ema', 'firstMoment', 'secondMoment'] as const;

/** sha256 of what a run is made of, as JSON whose keys are in order. */
export function hashWork(work: unknown): string {
  const text = JSON.stringify(work, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Writes whole or not at all: temporary file, fsync, rename, fsync of the folder.
 *
 * @throws AppError `training-not-finite`: the state holds what is no number. Then the checkpoint before it stays, so that
 *   a run can always go on from what is on the disk.
 */
export async function saveCheckpoint<Extra>(
  path: string,
  tableHash: string,
  checkpoint: Checkpoint<Extra>,
): Promise<void> {
  const { workSha256, state, best, extra } = checkpoint;
  for (const name of vectors) {
    if (state[name].every(Number.isFinite)) continue;
    throw new AppError('training-not-finite', `The weights (${name}) left the numbers by step ${state.step}`, {
      step: state.step,
    });
  }
  const head: Head<Extra> = {
    format: 'uncol-checkpoint-1',
    tableHash,
    workSha256,
    step: state.step,
    size: state.student.length,
    hasBest: best !== undefined,
    ...(best && best.length !== state.student.length ? { bestSize: best.length } : {}),
    extra,
  };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const parts = [length, text, ...vectors.map((name) => bytesOf(state[name]))];
  if (best) parts.push(bytesOf(best));
  await writeDurably(path, parts);
}

/**
 * The checkpoint at `path`, or undefined when there is none, it is cut short, or it belongs to another network. Whether
 * it is of the same run is the caller's to compare.
 */
export async function loadCheckpoint<Extra>(path: string, tableHash: string): Promise<Checkpoint<Extra> | undefined> {
  const file = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file || file.length < 4) return undefined;
  const start = 4 + file.readUInt32LE(0);
  if (start > file.length) return undefined;
  const head = JSON.parse(file.toString('utf8', 4, start)) as Head<Extra>;
  const bestSize = head.hasBest ? (head.bestSize ?? head.size) : 0;
  if (head.format !== 'uncol-checkpoint-1' || head.tableHash !== tableHash) return undefined;
  if (file.length !== start + (vectors.length * head.size + bestSize) * 4) return undefined;
  const vector = (index: number, size = head.size) => {
    const from = start + index * head.size * 4;
    const copy = new Float32Array(size);
    new Uint8Array(copy.buffer).set(file.subarray(from, from + size * 4));
    return copy;
  };
  const state: TrainingState = {
    step: head.step,
    student: vector(0),
    ema: vector(1),
    firstMoment: vector(2),
    secondMoment: vector(3),
  };
  return {
    workSha256: head.workSha256,
    state,
    ...(head.hasBest ? { best: vector(4, bestSize) } : {}),
    extra: head.extra,
  };
}

/** Writes `parts` to `path` so that a crash at any instant leaves the old file or the new one. */
export async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o640);
    try {
      // Not `write`: on a disk that fills up it writes a part and says so only in its return value.
      for (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

function bytesOf(values: Float32Array): Uint8Array {
  if (endianness() !== 'LE') throw new TypeError('checkpoints need a little-endian machine');
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
