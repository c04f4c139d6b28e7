import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../server/src/engine/random.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { growCorpus } from './grow.ts';
import { mutate } from './mutate.ts';
import { type Target, targets } from './targets.ts';

/** What came of so many damaged inputs. */
export interface FuzzResult {
  readonly target: string;
  readonly cases: number;
  /** Refused with a code, and read nevertheless. */
  readonly refused: number;
  readonly accepted: number;
  /** Thrown otherwise, each with the file that the input was kept in. */
  readonly faults: readonly string[];
  /** Inputs that faults were put into; what they reach, in blocks of the server's code, before some were added and after. */
  readonly corpus: number;
  readonly blocksBefore: number;
  readonly blocksAfter: number;
  readonly slowestMs: number;
  /** Peak of the process, MiB. */
  readonly peakMib: number;
}

/** An input of this many milliseconds hangs. */
export const hangMs = 5000;

/**
 * Puts faults into good inputs and has them read. The same seed gives the same inputs, as far as the good ones are the same.
 *
 * @param growing damaged inputs to try for more code first, see {@link growCorpus}; none by default.
 */
export async function fuzz(
  name: string,
  seed: number,
  cases: number,
  { onCase = () => undefined, growing = 0 }: { readonly onCase?: (n: number) => void; readonly growing?: number } = {},
): Promise<FuzzResult> {
  const target = await open(name);
  const { corpus, before, after } =
    growing > 0 ? await growCorpus(target, name, seed, growing) : { corpus: target.corpus, before: 0, after: 0 };
  let refused = 0;
  let slowestMs = 0;
  const faults: string[] = [];
  const tell = async (n: number, bytes: Uint8Array, what: string) => {
    faults.push(`seed ${seed}, case ${n}: ${what}; ${await keep(`${name}-${seed}-${n}`, bytes)}`);
  };
  try {
    for (let n = 0; n < cases; n++) {
      onCase(n);
      const bytes = damage(target.corpus, corpus, Random.for(seed, name, n));
      const started = performance.now();
      try {
        await target.run(bytes);
      } catch (error) {
        if (error instanceof AppError && error.code !== 'internal') refused += 1;
        else await tell(n, bytes, error instanceof Error ? `${error.name} ${error.message}` : String(error));
      }
      const ms = performance.now() - started;
      if (ms > hangMs) await tell(n, bytes, `${Math.round(ms)} ms`);
      slowestMs = Math.max(slowestMs, ms);
    }
  } finally {
    await target.close?.();
  }
  const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
  const accepted = cases - refused - faults.length;
  const grown = { corpus: corpus.length, blocksBefore: before, blocksAfter: after };
  return { target: name, cases, refused, accepted, faults, ...grown, slowestMs: Math.round(slowestMs), peakMib };
}

/** The input of a case. What was added to a corpus is damaged already: good inputs stay half of what is damaged. */
export function damage(good: readonly Uint8Array[], grown: readonly Uint8Array[], random: Random): Uint8Array {
  return mutate(random.pick(random.next() < 0.5 ? good : grown), grown, random);
}

/** Keeps an input that found a fault: what becomes a test. @returns its file. */
async function keep(name: string, bytes: Uint8Array): Promise<string> {
  const folder = join(tmpdir(), 'uncol-fuzz');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.bin`);
  await writeFile(path, bytes);
  return path;
}

async function open(name: string): Promise<Target> {
  const target = await targets[name]?.();
  if (!target) throw new RangeError(`there is no target ${name}; there is ${Object.keys(targets).join(', ')}`);
  return target;
}
