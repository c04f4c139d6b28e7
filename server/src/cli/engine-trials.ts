import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chooseEngine, engineName } from '../engine/choose.ts';
import type { Engine } from '../engine/ops.ts';
import { compareTrials, type Trial } from '../engine/trial.ts';
import { AppError } from '../errors/app-error.ts';
import type { TrialAnswer } from './engine-trial-child.ts';

/** One row of `uncol doctor`. */
export interface EngineRow {
  readonly reading: Engine['reading'];
  readonly device: string;
  /** It is there, and its results are those of the reference. */
  readonly ok: boolean;
  /** Of loss, gradient and output, against onnx-cpu; null where either is not there. */
  readonly maxRelativeDifference: number | null;
  /** Median of a small training step, milliseconds. */
  readonly stepMs: number | null;
  /** Why it is not ok, or never chosen by itself; otherwise null. */
  readonly reason: string | null;
}

/** A row, and whether the CPU emulates the device. */
export interface TriedEngine {
  readonly row: EngineRow;
  readonly isSoftware: boolean;
}

/** With which the others are compared: it is everywhere and held to finite differences. */
const referenceName = 'onnx-cpu';
/** Different engines agree to some 1e-6; what rounds to less than float32 does not. */
const tolerance = 1e-4;
/** An emulated GPU on a busy machine compiles for half a minute. */
const timeoutMs = 180_000;
const trialEntry = new URL('./engine-trial-child.ts', import.meta.url);

/** Tries each engine in a process of its own, one after the other, and compares what they gave. */
export async function tryEngines(
  candidates: readonly Pick<EngineRow, 'reading' | 'device'>[],
  threads: number,
): Promise<readonly TriedEngine[]> {
  const answers = new Map<string, TrialAnswer>();
  for (const one of candidates) answers.set(engineName(one), await tryInChild(engineName(one), threads));
  const reference = answers.get(referenceName);
  const expected = reference && 'trial' in reference ? reference.trial : undefined;
  return candidates.map(({ reading, device }) => {
    const answer = answers.get(engineName({ reading, device })) ?? { reason: 'it was not tried' };
    return { row: { reading, device, ...judge(answer, expected) }, isSoftware: 'trial' in answer && answer.isSoftware };
  });
}

function judge(answer: TrialAnswer, expected: Trial | undefined): Omit<EngineRow, 'reading' | 'device'> {
  if ('reason' in answer) return { ok: false, maxRelativeDifference: null, stepMs: null, reason: answer.reason };
  const { trial, isSoftware } = answer;
  const stepMs = Math.round(trial.stepMs * 10) / 10;
  if (!expected) return { ok: true, maxRelativeDifference: null, stepMs, reason: null };
  const difference = compareTrials(trial, expected);
  // A result that is no number differs by NaN, which JSON lacks.
  const maxRelativeDifference = Number.isFinite(difference) ? difference : null;
  if (!(difference <= tolerance)) {
    return { ok: false, maxRelativeDifference, stepMs, reason: `its results differ from those of ${referenceName}` };
  }
  const reason = isSoftware ? 'its device is emulated by the CPU: it is never chosen by itself' : null;
  return { ok: true, maxRelativeDifference, stepMs, reason };
}

/**
 * The name of the engine that would be chosen, by what the trials found.
 *
 * @throws AppError `engine-unavailable` as the choice itself does, `engine-failed` when the chosen one gives other
 *   results than it should.
 */
export async function chooseTried(wanted: string, engines: readonly TriedEngine[]): Promise<string> {
  const openables = engines.map(({ row, isSoftware }) => ({
    ...row,
    async open() {
      if (row.stepMs === null) throw new Error(row.reason ?? 'it stopped');
      return { isSoftware, row };
    },
  }));
  const { name, opened } = await chooseEngine(wanted, openables, { threads: 1 });
  if (!opened.row.ok) throw new AppError('engine-failed', `${name}: ${opened.row.reason}.`);
  return name;
}

/** The answer of a process that tries the engine; how the process ended where it gave none. */
export function tryInChild(name: string, threads: number, entry: URL = trialEntry): Promise<TrialAnswer> {
  const child = fork(fileURLToPath(entry), [name, String(threads)], {
    execArgv: ['--import', import.meta.resolve('tsx')],
    serialization: 'advanced',
    // What drivers write there is in the reason, or of no use.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  return new Promise((resolve) => {
    child.once('message', (answer: TrialAnswer) => resolve(answer));
    child.once('error', (error) => resolve({ reason: error.message }));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ reason: `trying it ended its process ${signal ? `by ${signal}` : `with code ${code}`}` });
    });
  });
}
