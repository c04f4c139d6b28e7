/** Entry of a process that tries one engine: a driver that fails takes this process with it and not the command. */
import { engineCandidates } from '../engine/candidates.ts';
import { engineName } from '../engine/choose.ts';
import { type Trial, tryEngine } from '../engine/trial.ts';

/** What the process answers. */
export type TrialAnswer =
  | { readonly trial: Trial; readonly isSoftware: boolean }
  /** The engine is not there, or stopped. */
  | { readonly reason: string };

const [, , name = '', threads = '1'] = process.argv;

async function answer(): Promise<TrialAnswer> {
  const candidate = engineCandidates.find((one) => engineName(one) === name);
  if (!candidate) return { reason: `there is no engine ${name}` };
  try {
    const { engine, isSoftware } = await candidate.open({ threads: Number(threads) });
    return { trial: await tryEngine(engine), isSoftware };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

const result = await answer();
// At once after the answer: nothing that a driver does at the end of a process is of interest.
process.send?.(result, () => process.exit(0));
