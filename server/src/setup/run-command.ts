import { spawn } from 'node:child_process';
import { AppError } from '../errors/app-error.ts';

const KEPT_LINES = 12;

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program; the reason is then thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What a command printed, and whether it said yes. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** Last lines of stdout and stderr together, for a message. */
  readonly lastLines: string;
}

/**
 * Runs a program of the system to its end, without a shell and with `LC_ALL=C`, so that its texts can be read.
 *
 * @throws AppError `setup-failed` when the program does not exist; the reason of the signal when it was aborted.
 */
export async function tryCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => {
      stdout.push(bytes);
      all.push(bytes);
    });
    child.stderr.on('data', (bytes: Buffer) => all.push(bytes));
    const end = () => child.kill('SIGTERM');
    options.signal?.addEventListener('abort', end);
    child.once('error', (cause) => reject(cannotStart(command, cause)));
    child.once('close', (code, signal) => {
      options.signal?.removeEventListener('abort', end);
      if (options.signal?.aborted) return reject(options.signal.reason);
      const lines = Buffer.concat(all).toString().trim().split('\n').slice(-KEPT_LINES);
      if (signal !== null) lines.push(`(ended by ${signal})`);
      resolve({ exitCode: code ?? 1, stdout: Buffer.concat(stdout).toString(), lastLines: lines.join('\n') });
    });
  });
}

/**
 * Like {@link tryCommand}, for a command that must succeed; answers its stdout.
 *
 * @throws AppError `setup-failed` with the command's last lines.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryCommand(command, args, options);
  if (result.exitCode !== 0) throw commandFailed(command, result);
  return result.stdout;
}

/** The fault of a command that ended with another code than 0. */
export function commandFailed(command: string, result: CommandResult): AppError {
  const message = `${command} ended with code ${result.exitCode}:\n${result.lastLines}`;
  return new AppError('setup-failed', message, { command, exitCode: result.exitCode });
}

function cannotStart(command: string, cause: Error): AppError {
  const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  const why = missing ? 'is not on this machine; set-up needs Debian 12 or a system like it' : `: ${cause.message}`;
  return new AppError('setup-failed', `${command} ${why}`, { command }, { cause });
}
