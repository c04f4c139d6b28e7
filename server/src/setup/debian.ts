import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { resolve as absolute, join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { type KeptFolder, keepFolder } from './kept-folder.ts';
import { commandFailed, runCommand, tryCommand } from './run-command.ts';
import type { Progress } from './steps.mjs';

const LISTS_KEPT_MS = 10 * 60_000;

interface Archive {
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
}

/**
 * Unpacks Debian packages below `home/debian`, with those of their dependencies that this machine lacks, and answers
 * the root folder (`<root>/usr/share/…`). Nothing is installed, nothing outside `home` is written, no right is needed:
 * apt runs on its own lists and cache, and `dpkg -x` only unpacks. A second call costs a look at the files.
 *
 * @throws AppError `setup-failed` with the last lines of apt or dpkg: not there, offline, unknown package.
 */
export async function unpackDebian(
  home: string,
  packages: readonly string[],
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const fill = async (temporary: string) => {
    progress(0, 'reading the package lists');
    const config = await writeAptConfig(absolute(home));
    const archives = await resolveArchives(config, packages, signal);
    const archiveFolder = join(temporary, '.archives');
    await mkdir(archiveFolder);
    await download(config, archives, archiveFolder, progress, signal);
    progress(0.9, 'unpacking');
    for (const file of (await readdir(archiveFolder)).sort()) {
      await runCommand('dpkg', ['-x', join(archiveFolder, file), temporary], { signal });
    }
    await rm(archiveFolder, { recursive: true });
    return archives.map(({ name, version }) => `${name}=${version}`);
  };
  return await keepFolder(await unpackedSet(home, packages), fill, progress, signal);
}

/** The folder of a set of packages. It counts as another set after an upgrade of the system. */
export async function unpackedSet(home: string, packages: readonly string[]): Promise<KeptFolder> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const system = /^VERSION_CODENAME=(.*)$/m.exec(release)?.[1] ?? 'unknown';
  return {
    home,
    folder: join(absolute(home), 'debian', packages.join('+')),
    identity: `${packages.join(' ')} (${system}, ${process.arch})`,
  };
}

/** Own lists and cache, the machine's own sources; no hooks, which would run other programs of the machine. */
async function writeAptConfig(home: string): Promise<string> {
  const folder = join(home, 'debian', 'apt');
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
  await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  const path = join(folder, 'apt.conf');
  const lines = [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    `Dir::State::Lists "${join(folder, 'lists')}/";`,
    `Dir::Cache "${join(folder, 'cache')}/";`,
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
    `Dir::Log "${folder}/";`,
    // As root, apt would hand over to a user that cannot enter a private folder.
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

/**
 * Reads the package lists, unless a set-up did so a moment ago; answers apt's last lines. An unreachable source (a
 * vendor's) is no reason to stop: the resolver says whether the lists suffice.
 */
async function updateLists(config: string, signal: AbortSignal | undefined): Promise<string> {
  const stamp = `${config}.updated`;
  const updatedAt = await stat(stamp).then(
    (found) => found.mtimeMs,
    () => 0,
  );
  if (Date.now() - updatedAt < LISTS_KEPT_MS) return '';
  const update = await tryCommand('apt-get', ['-c', config, 'update'], { signal });
  if (update.exitCode === 0 && !update.lastLines.includes('Failed to fetch')) await writeFile(stamp, '');
  return update.lastLines;
}

/** The packages and what they need beyond the machine's own, as apt's resolver sees it. */
async function resolveArchives(
  config: string,
  packages: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly Archive[]> {
  const updateLines = await updateLists(config, signal);
  const resolve = (options: readonly string[]) =>
    tryCommand('apt-get', [
      ...['-c', config, ...options, '--print-uris', '--yes', '--no-install-recommends', '--reinstall', 'install'],
      ...packages,
    ]);
  let resolved = await resolve([]);
  // A machine with half-installed packages cannot resolve anything; take the whole closure there.
  if (resolved.exitCode !== 0) resolved = await resolve(['-o', 'Dir::State::status=/dev/null']);
  const archives = parseUris(resolved.stdout);
  if (resolved.exitCode !== 0 || archives.length === 0) {
    const lastLines = `${updateLines}\n${resolved.lastLines}`;
    throw commandFailed('apt-get', { ...resolved, lastLines });
  }
  return archives;
}

/** Lines of `apt-get --print-uris`: `'URI' name_version_arch.deb size hash`, with `%3a` for the colon of an epoch. */
export function parseUris(text: string): readonly Archive[] {
  const archives: Archive[] = [];
  for (const [, name, version, size] of text.matchAll(/^'[^']*' ([^_ ]+)_([^_ ]+)_[^_ ]+\.deb (\d+) /gm)) {
    // The C library must be the one of the running loader.
    if (name === undefined || version === undefined || name === 'libc6' || name === 'libc-bin') continue;
    archives.push({ name, version: decodeURIComponent(version), sizeBytes: Number(size) });
  }
  return archives;
}

async function download(
  config: string,
  archives: readonly Archive[],
  folder: string,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const totalBytes = archives.reduce((sum, archive) => sum + archive.sizeBytes, 0);
  const names = archives.map(({ name, version }) => `${name}=${version}`);
  const watch = setInterval(async () => {
    const doneBytes = await folderBytes(folder);
    progress(0.1 + (0.8 * doneBytes) / totalBytes, `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`);
  }, 250);
  try {
    // apt checks size and hash of each archive against the signed lists.
    await runCommand('apt-get', ['-c', config, 'download', ...names], { cwd: folder, signal });
  } finally {
    clearInterval(watch);
  }
  const found = await readdir(folder);
  if (found.length !== archives.length) {
    throw new AppError('setup-failed', `apt-get download left ${found.length} of ${archives.length} archives`, {});
  }
}

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
