import { AppError, toErrorRecord } from '../errors/app-error.ts';
import { errorTable } from '../errors/table.ts';

/** What a command has found. */
export interface Outcome {
  /** For `--json`: one object or array. */
  readonly json: object;
  /** For people: lines. */
  readonly lines: readonly string[];
  /** True when the command ran and found a failure, e.g. `doctor`. */
  readonly failed?: boolean;
}

/**
 * Runs a command's body; prints its outcome (if any is left to print) on stdout, or what went wrong and what to do on
 * stderr with exit code 1.
 */
export async function runCommand(json: boolean | undefined, work: () => Promise<Outcome | undefined>): Promise<void> {
  try {
    const outcome = await work();
    if (!outcome) return;
    process.stdout.write(json ? `${JSON.stringify(outcome.json)}\n` : `${outcome.lines.join('\n')}\n`);
    process.exitCode = outcome.failed ? 1 : 0;
  } catch (error) {
    process.exitCode = 1;
    const { code, message } = toErrorRecord(error);
    const { hint } = errorTable[code];
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
    process.stderr.write(`${code}: ${message}\n${hint}\n`);
    // A fault of ours on the user's own terminal: the place helps more than it can harm.
    if (!(error instanceof AppError)) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  }
}

/** A signal that aborts at Ctrl-C or SIGTERM; `waiting` says in words what then happens. */
export function interruption(waiting: string): AbortSignal {
  const control = new AbortController();
  const onSignal = () => {
    if (!control.signal.aborted) process.stderr.write(`${waiting}\n`);
    control.abort(new AppError('job-cancelled', 'Interrupted.'));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return control.signal;
}
