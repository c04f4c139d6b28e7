import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve as absolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors/app-error.ts';
import { unpackDebian, unpackedSet } from './debian.ts';
import { forgetFolder } from './kept-folder.ts';
import { endLeftover, forgetOwner, writeOwner } from './leftover.ts';
import { type OrthancConfigValues, orthancConfig, orthancEnvironment } from './orthanc-config.ts';
import type { Progress } from './steps.mjs';

const PACKAGES = ['orthanc', 'orthanc-dicomweb'] as const;
const CONFIG_FILE = 'orthanc.json';
const LOG_FILE = 'orthanc.log';
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const PORT_TRIES = 3;
/** Exit code of `flock` when another process holds the storage. */
const BUSY = 75;

export interface OrthancOptions {
  /** `UNCOL_HOME`; all files go to `home/orthanc` and `home/debian`. */
  readonly home: string;
  /** Port of HTTP; a free one when left out. */
  readonly port?: number;
  /** Takes our own lines; Orthanc's lines, which may name patients, go to `home/orthanc/orthanc.log` only. */
  readonly log: (line: string) => void;
  readonly progress?: Progress;
  /** Ends the unpacking; a started Orthanc is ended by `stop`. */
  readonly signal?: AbortSignal | undefined;
}

export interface Orthanc {
  /** DICOMweb root, `http://127.0.0.1:PORT/dicom-web`. */
  readonly url: string;
  /** Of this start only; needed for each request. */
  readonly credentials: { readonly username: string; readonly password: string };
  readonly pid: number;
  /** Ends Orthanc and waits for it; the studies stay. */
  stop(): Promise<void>;
}

interface EarlyEnd {
  readonly exitCode: number;
  /** Last lines of Orthanc's log. */
  readonly lastLines: string;
}

/**
 * Unpacks Orthanc below `home` when it is not there yet, starts it on loopback and waits until DICOMweb answers.
 *
 * Safe by construction: a new random password each start, no DIMSE, requests from other addresses refused (Orthanc
 * 1.10 binds all addresses, so it must refuse), no stored object overwritten. The kernel ends it when this process
 * ends, even by `kill -9`; the storage is locked while an Orthanc uses it.
 *
 * @throws AppError `setup-failed`: unpacking failed, Orthanc ended early, or another running server uses this `home`.
 */
export async function startOrthanc(options: OrthancOptions): Promise<Orthanc> {
  const progress = options.progress ?? (() => {});
  let root = await unpackDebian(options.home, PACKAGES, progress, options.signal);
  const folder = join(absolute(options.home), 'orthanc');
  await mkdir(join(folder, 'db'), { recursive: true, mode: 0o700 });
  progress(null, 'starting');
  for (let attempt = 1; ; attempt++) {
    const leftover = await endLeftover(folder);
    if (leftover !== null) options.log(`Ended the Orthanc of an earlier run (pid ${leftover})`);
    const result = await launch(root, folder, options.port);
    if ('url' in result) {
      options.log(`Orthanc answers at ${result.url} (pid ${result.pid})`);
      return result;
    }
    const { exitCode, lastLines } = result;
    if (exitCode === BUSY) throw new AppError('setup-failed', `Another running server uses ${folder}`, { folder });
    if (lastLines.includes('error while loading shared libraries') && attempt === 1) {
      // This machine had the library when we unpacked, and lost it since.
      await forgetFolder(await unpackedSet(options.home, PACKAGES));
      root = await unpackDebian(options.home, PACKAGES, progress, options.signal);
      continue;
    }
    const mayTryAgain = options.port === undefined && lastLines.includes('already in use') && attempt < PORT_TRIES;
    if (!mayTryAgain) throw new AppError('setup-failed', `Orthanc ended with code ${exitCode}:\n${lastLines}`);
  }
}

async function launch(root: string, folder: string, wantedPort: number | undefined): Promise<Orthanc | EarlyEnd> {
  const values: OrthancConfigValues = {
    name: `UNCOL-${randomBytes(9).toString('hex')}`,
    root,
    storage: join(folder, 'db'),
    port: wantedPort ?? (await freePort()),
    username: 'uncol',
    password: randomBytes(24).toString('base64url'),
  };
  const program = join(root, 'usr/sbin/Orthanc');
  const { child, ended } = await spawnOrthanc(program, folder, values);
  const stop = async () => {
    if (await endChild(child, ended)) await forgetOwner(folder);
  };
  try {
    const exitCode = await Promise.race([ended, waitForAnswer(values, child)]);
    if (exitCode !== null) {
      const text = await readFile(join(folder, LOG_FILE), 'utf8').catch(() => '');
      return { exitCode, lastLines: text.trim().split('\n').slice(-6).join('\n') };
    }
    const pid = child.pid ?? 0;
    await writeOwner(folder, program, pid);
    // It is read once; the password need not lie on the disk.
    await rm(join(folder, CONFIG_FILE), { force: true });
    const { port, username, password } = values;
    return { url: `http://127.0.0.1:${port}/dicom-web`, credentials: { username, password }, pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Each program replaces itself by the next, so that the child is Orthanc; files are touched under the lock only. */
async function spawnOrthanc(program: string, folder: string, values: OrthancConfigValues) {
  const script = 'umask 077; rm -f "$2"; cat > "$2"; exec setpriv --pdeathsig TERM -- "$1" "$2" > "$3" 2>&1';
  const guard = ['--no-fork', '--nonblock', '--conflict-exit-code', String(BUSY), join(folder, 'running.lock')];
  const names = [program, join(folder, CONFIG_FILE), join(folder, LOG_FILE)];
  // Detached, since Ctrl-C reaches the whole foreground group and Orthanc must end after our own work.
  const child = spawn('flock', [...guard, 'sh', '-c', script, 'sh', ...names], {
    cwd: folder,
    env: { ...process.env, ...(await orthancEnvironment(values.root)), LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', (cause) =>
      reject(new AppError('setup-failed', 'flock (Debian package util-linux) cannot be started', {}, { cause })),
    );
  });
  ended.catch(() => {});
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(orthancConfig(values), null, 2));
  return { child, ended };
}

/** Null once our own Orthanc, known by its random name, answers on both of its interfaces. */
async function waitForAnswer(values: OrthancConfigValues, child: ChildProcess): Promise<null> {
  const origin = `http://127.0.0.1:${values.port}`;
  const authorization = `Basic ${Buffer.from(`${values.username}:${values.password}`).toString('base64')}`;
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(origin + path, { headers: { authorization }, signal: AbortSignal.timeout(5000) });
    return answer.ok ? await answer.json() : null;
  };
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    const system = await ask('/system').catch(() => null);
    if ((system as { Name?: string } | null)?.Name === values.name) {
      if (Array.isArray(await ask('/dicom-web/studies?limit=1').catch(() => null))) return null;
    }
    if (child.exitCode !== null || child.signalCode !== null) break;
    await sleep(50);
  }
  throw new AppError('setup-failed', `Orthanc did not answer at ${origin} within ${START_LIMIT_MS / 1000} s`);
}

/** Answers whether there was something to end. */
async function endChild(child: ChildProcess, ended: Promise<number>): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return false;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended.catch(() => {});
  clearTimeout(timer);
  return true;
}

/** A port that nothing listens on, on any address, because Orthanc takes it on all. */
async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '0.0.0.0', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}
