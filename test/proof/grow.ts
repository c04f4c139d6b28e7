import { Session } from 'node:inspector/promises';
import { Random } from '../../server/src/engine/random.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { mutate } from './mutate.ts';
import type { Target } from './targets.ts';

/** A corpus with what was added to it, and how much code of the server it reaches. */
export interface GrownCorpus {
  readonly corpus: readonly Uint8Array[];
  /** Blocks of code, as V8 counts them, that the corpus reached before, and after. */
  readonly before: number;
  readonly after: number;
}

/**
 * Adds damaged inputs that reach code of the server which no input before them reached: faults that are put into these get
 * further. The same seed grows the same corpus.
 */
export async function growCorpus(target: Target, name: string, seed: number, cases: number): Promise<GrownCorpus> {
  const corpus = [...target.corpus];
  const coverage = await startCoverage();
  try {
    for (const bytes of corpus) {
      await attempt(target, bytes);
      await coverage.countNew();
    }
    const before = coverage.reached;
    for (let n = 0; n < cases; n++) {
      const random = Random.for(seed, name, 'grow', n);
      const bytes = mutate(random.pick(corpus), corpus, random);
      // What is not refused by a code is for the fuzzer to find.
      if ((await attempt(target, bytes)) && (await coverage.countNew()) > 0) corpus.push(bytes);
    }
    return { corpus, before, after: coverage.reached };
  } finally {
    await coverage.stop();
  }
}

async function attempt(target: Target, bytes: Uint8Array): Promise<boolean> {
  try {
    await target.run(bytes);
    return true;
  } catch (error) {
    return error instanceof AppError;
  }
}

/** Counts blocks of the server's code that run in this thread. */
async function startCoverage() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const seen = new Set<string>();
  return {
    get reached() {
      return seen.size;
    },
    /** How many of the blocks that have run since the last call had never run. */
    async countNew(): Promise<number> {
      const before = seen.size;
      const { result } = await session.post('Profiler.takePreciseCoverage');
      for (const { url, functions } of result) {
        if (!url.includes('/server/src/')) continue;
        for (const { ranges } of functions) {
          for (const { count, startOffset, endOffset } of ranges) {
            if (count > 0) seen.add(`${url} ${startOffset} ${endOffset}`);
          }
        }
      }
      return seen.size - before;
    },
    async stop(): Promise<void> {
      await session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}
