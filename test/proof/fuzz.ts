import { Random } from '../../server/src/engine/random.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { mutate } from './mutate.ts';
import { type Target, targets } from './targets.ts';

/** What came of so many damaged inputs. */
export interface FuzzResult {
  readonly target: string;
  readonly cases: number;
  /** Refused with a code, and read nevertheless. */
  readonly refused: number;
  readonly accepted: number;
  /** Thrown otherwise: the seed and the case make the input again. */
  readonly faults: readonly string[];
  readonly slowestMs: number;
  /** Peak of the process, MiB. */
  readonly peakMib: number;
}

/** An input of this many milliseconds hangs. */
export const hangMs = 5000;

/** Puts faults into good inputs and has them read. The same seed gives the same inputs. */
export async function fuzz(
  name: string,
  seed: number,
  cases: number,
  onCase: (n: number) => void = () => undefined,
): Promise<FuzzResult> {
  const target = await open(name);
  let refused = 0;
  let slowestMs = 0;
  const faults: string[] = [];
  try {
    for (let n = 0; n < cases; n++) {
      onCase(n);
      const random = Random.for(seed, name, n);
      const bytes = mutate(random.pick(target.corpus), target.corpus, random);
      const started = performance.now();
      try {
        await target.run(bytes);
      } catch (error) {
        if (error instanceof AppError && error.code !== 'internal') refused += 1;
        else
          faults.push(`seed ${seed}, case ${n}: ${error instanceof Error ? `${error.name} ${error.message}` : error}`);
      }
      const ms = performance.now() - started;
      if (ms > hangMs) faults.push(`seed ${seed}, case ${n}: ${Math.round(ms)} ms`);
      slowestMs = Math.max(slowestMs, ms);
    }
  } finally {
    await target.close?.();
  }
  const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
  const accepted = cases - refused - faults.length;
  return { target: name, cases, refused, accepted, faults, slowestMs: Math.round(slowestMs), peakMib };
}

/** The input of a case, to look at. */
export async function inputOf(name: string, seed: number, n: number): Promise<Uint8Array> {
  const { corpus, close } = await open(name);
  await close?.();
  const random = Random.for(seed, name, n);
  return mutate(random.pick(corpus), corpus, random);
}

async function open(name: string): Promise<Target> {
  const target = await targets[name]?.();
  if (!target) throw new RangeError(`there is no target ${name}; there is ${Object.keys(targets).join(', ')}`);
  return target;
}
