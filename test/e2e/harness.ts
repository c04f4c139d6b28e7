import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { fetchDaikon, fetchViewer } from '../../server/src/setup/ohif.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const startLimitMs = 8 * 60_000;
const stopLimitMs = 30_000;

/** The whole product as a user starts it, on its own `UNCOL_HOME`. */
export interface RunningProduct {
  /** Address of the viewer, without a slash at its end. */
  readonly url: string;
  /** Root of the unpacked sample packages, for the truths. */
  readonly sampleRoot: string;
  /** What the server has said on stderr. */
  readonly lines: readonly string[];
  /** Ends it as Ctrl-C does and removes its home. */
  stop(): Promise<void>;
}

/**
 * Chromium's program, or the reason why these tests cannot run.
 *
 * @throws Error in CI, where nothing is skipped.
 */
export function findChromium(): { readonly path: string; readonly skip: string | false } {
  const wanted = [process.env['UNCOL_TEST_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser'];
  const path = wanted.find((candidate) => candidate !== undefined && existsSync(candidate));
  if (path !== undefined) return { path, skip: false };
  const reason = 'Chromium is not installed (apt-get install chromium, or set UNCOL_TEST_CHROMIUM)';
  if (process.env['CI']) throw new Error(reason);
  return { path: '', skip: reason };
}

/**
 * Builds the extension and starts `uncol serve` on a free port with sample studies; resolves once `/readyz` says 200.
 * Downloads are kept in `UNCOL_TEST_CACHE` (default: a folder of the system's temporary one) and copied.
 */
export async function startProduct(environment: Readonly<Record<string, string>> = {}): Promise<RunningProduct> {
  await promisify(execFile)(process.execPath, [join(root, 'extension/build.mjs')]);
  const home = await mkdtemp(join(tmpdir(), 'uncol-e2e-'));
  const sampleRoot = await fillHome(home);
  const child = spawn(process.execPath, [join(root, 'server/bin/uncol.mjs'), 'serve', '--json'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      UNCOL_HOME: home,
      UNCOL_PORT: '0',
      // By chance a sample patient would be kept apart, and its correction would start no round.
      UNCOL_HELD_OUT_PERCENT: '0',
      ...environment,
    },
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const stop = async () => {
    await end(child);
    await rm(home, { recursive: true, force: true });
  };
  try {
    const url = await readAddress(child, lines);
    await waitUntilReady(url);
    return { url, sampleRoot, lines, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fillHome(home: string): Promise<string> {
  const cache = process.env['UNCOL_TEST_CACHE'] ?? join(tmpdir(), 'uncol-test-home');
  const quiet = () => undefined;
  const sampleRoot = await unpackDebian(cache, samplePackages, quiet);
  await unpackDebian(cache, ['orthanc', 'orthanc-dicomweb'], quiet);
  await fetchViewer(cache, quiet);
  await fetchDaikon(cache, quiet);
  for (const folder of ['debian', 'npm']) {
    await mkdir(join(home, folder), { recursive: true });
    await cp(join(cache, folder), join(home, folder), { recursive: true, verbatimSymlinks: true });
  }
  return sampleRoot;
}

async function readAddress(child: ChildProcess, lines: readonly string[]): Promise<string> {
  const last = () => lines.slice(-20).join('\n');
  const limit = AbortSignal.timeout(startLimitMs);
  if (child.stdout === null) throw new TypeError('stdout is not a pipe');
  for await (const line of createInterface({ input: child.stdout, signal: limit })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return url.replace(/\/$/, '');
  }
  throw new Error(
    limit.aborted ? `The server did not start in time.\n${last()}` : `The server ended while it started.\n${last()}`,
  );
}

async function waitUntilReady(url: string): Promise<void> {
  const until = Date.now() + startLimitMs;
  for (;;) {
    const response = await fetch(`${url}/readyz`);
    if (response.status === 200) return;
    if (Date.now() > until) throw new Error(`/readyz still answers ${response.status}: ${await response.text()}`);
    await sleep(500);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const isLate = await Promise.race([ended.then(() => false), sleep(stopLimitMs, true, { ref: false })]);
  if (isLate) {
    child.kill('SIGKILL');
    throw new Error('The server did not end within 30 s of SIGTERM.');
  }
}
