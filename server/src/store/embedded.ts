import { randomBytes } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { postgresCommand } from './postgres-command.ts';
import { databaseFolder, prepareBinaries, serverUser, socketFolder } from './postgres-folders.ts';

/** A running embedded PostgreSQL. */
export interface EmbeddedDatabase {
  /** Connection string over the private Unix socket. */
  readonly url: string;
  /** Where the tables lie: below `home`, or below /var/lib when the server's own user cannot enter `home`. */
  readonly folder: string;
  /** True when a server left by a killed parent was taken over. */
  readonly adopted: boolean;
  /** Fast shutdown: running transactions are rolled back, everything committed is on disk. */
  stop(): Promise<void>;
}

const major = 18;

/**
 * Starts the PostgreSQL of the npm platform package on a private Unix socket, without a TCP port; creates its folder
 * the first time, and takes over a server that a killed parent left behind. Works as root (the server then runs as
 * uid 65534) and as an ordinary user.
 *
 * @param home `UNCOL_HOME`, an existing folder.
 * @throws AppError `database-unavailable`: no binary for this machine, folder of another major version, failed start.
 */
export async function startEmbedded(home: string): Promise<EmbeddedDatabase> {
  const user = serverUser();
  const folder = await databaseFolder(home, user);
  const bin = await prepareBinaries(folder, user);
  const data = join(folder, 'data');
  const log = join(folder, 'postgres.log');
  const run = postgresCommand(bin, user, folder);
  await refuseOtherMajor(data);
  if (!(await isInitialised(data))) await initialise(data, run);
  const socket = await socketFolder(data, user);
  const control = (...rest: readonly string[]) => run('pg_ctl', ['-D', data, ...rest]);

  const adopted = (await control('status')).exitCode === 0;
  if (!adopted) {
    const options = Object.entries({
      listen_addresses: '',
      unix_socket_directories: socket,
      unix_socket_permissions: '0700',
      max_connections: '40',
      shared_buffers: '64MB',
    }).map(([name, value]) => `-c ${name}=${value}`);
    const started = await control('-w', '-t', '30', '-l', log, '-o', options.join(' '), 'start');
    if (started.exitCode !== 0) {
      throw new AppError('database-unavailable', `The embedded database did not start; its log is ${log}.`);
    }
  }
  // An adopted server listens where its own parent told it to, which may be another temporary folder than ours.
  const listening = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[4] || socket;
  const connect = new URLSearchParams({ host: listening, user: 'uncol' });
  return {
    url: `postgresql:///postgres?${connect}`,
    folder,
    adopted,
    async stop() {
      const stopped = await control('-m', 'fast', '-w', '-t', '30', 'stop');
      if (stopped.exitCode !== 0 && (await control('status')).exitCode === 0) {
        throw new AppError('database-unavailable', `The embedded database did not stop; its log is ${log}.`);
      }
      await rm(listening, { recursive: true, force: true });
    },
  };
}

async function isInitialised(data: string): Promise<boolean> {
  return (await readVersion(data)) !== undefined;
}

async function readVersion(data: string): Promise<string | undefined> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function refuseOtherMajor(data: string): Promise<void> {
  const found = await readVersion(data);
  if (found === undefined || found === String(major)) return;
  throw new AppError(
    'database-unavailable',
    `The database folder ${data} is of PostgreSQL ${found}, this version brings ${major}: export it with the old one.`,
    { found, expected: major },
  );
}

/** Runs initdb beside the final place and renames, so that a killed first start leaves nothing half made. */
async function initialise(data: string, run: ReturnType<typeof postgresCommand>): Promise<void> {
  const draft = `${data}.${randomBytes(4).toString('hex')}`;
  await rm(data, { recursive: true, force: true });
  const made = await run('initdb', [
    ...['-D', draft, '-U', 'uncol', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--data-checksums'],
  ]);
  if (made.exitCode !== 0) {
    await rm(draft, { recursive: true, force: true });
    throw new AppError('database-unavailable', `initdb failed in ${data}: ${made.lastLine}`);
  }
  await rename(draft, data);
}
