import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../errors/app-error.ts';

const BUSY = 75;

/**
 * Runs `work` while this process alone holds the lock file `path`; waits for whoever holds it before.
 *
 * The lock belongs to a `flock` process that lives as long as a pipe from here is open, so the kernel frees it even
 * after `kill -9`, and there is no stale lock to break.
 *
 * @throws AppError `setup-failed` when `flock` (util-linux) is missing or the file cannot be written; the reason of
 * `signal` when it is aborted while waiting.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  onWait: () => void = () => {},
  signal?: AbortSignal,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  let release = await hold(path, ['--nonblock', '--conflict-exit-code', String(BUSY)]);
  if (release === null) {
    onWait();
    release = await hold(path, [], signal);
  }
  if (release === null) throw new AppError('setup-failed', `The lock ${path} could not be taken`, { path });
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Answers a release function, or null when the lock is held elsewhere and `options` say not to wait. */
function hold(path: string, options: readonly string[], signal?: AbortSignal): Promise<(() => Promise<void>) | null> {
  return new Promise((resolve, reject) => {
    // Detached: Ctrl-C reaches the whole foreground group, and the lock must outlive what still writes below it.
    const args = [...options, '--no-fork', path, 'sh', '-c', 'echo held; exec cat'];
    const child = spawn('flock', args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const ended = new Promise<number>((done) => child.once('close', (code) => done(code ?? 1)));
    const giveUp = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', giveUp);
    let complaint = '';
    child.stderr.on('data', (bytes: Buffer) => {
      complaint += bytes.toString();
    });
    child.stdin.on('error', () => {});
    child.once('error', (cause) =>
      reject(new AppError('setup-failed', 'flock (Debian package util-linux) is not on this machine', {}, { cause })),
    );
    child.stdout.once('data', () => {
      signal?.removeEventListener('abort', giveUp);
      resolve(async () => {
        child.stdin.end();
        await ended;
      });
    });
    void ended.then((code) => {
      if (code === BUSY) resolve(null);
      else if (signal?.aborted) reject(signal.reason);
      else reject(new AppError('setup-failed', `flock ended with code ${code}: ${complaint.trim()}`, { path }));
    });
  });
}
