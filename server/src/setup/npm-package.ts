import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors/app-error.ts';
import { type KeptFolder, keepFolder } from './kept-folder.ts';
import { commandFailed, tryCommand } from './run-command.ts';
import type { Progress } from './steps.mjs';

export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-…` of the tarball, base64, as in a lock file. */
  readonly integrity: string;
  /** Of the tarball, for the percentage. */
  readonly sizeBytes?: number;
  /** Paths inside the package that are not unpacked. */
  readonly leaveOut?: readonly string[];
}

/**
 * Fetches one package by `npm pack`, checks its hash, unpacks it below `home/npm` and answers that folder. Unlike a
 * dependency it brings no other package and runs no script. A second call costs a look at the files.
 *
 * @throws AppError `setup-failed` (npm not there, offline, unknown version), `integrity-mismatch` (another tarball).
 */
export async function fetchNpmPackage(
  wanted: NpmPackage,
  home: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const fill = async (temporary: string) => {
    const download = join(temporary, '.download');
    await mkdir(download);
    const tarball = await pack(wanted, download, progress, signal);
    await checkIntegrity(wanted, tarball);
    progress(0.9, 'unpacking');
    await unpack(wanted, tarball, temporary);
    await rm(download, { recursive: true });
    return [`${wanted.name}@${wanted.version}`];
  };
  return await keepFolder(packageFolder(wanted, home), fill, progress, signal);
}

/** Where the package is kept. */
export function packageFolder(wanted: NpmPackage, home: string): KeptFolder {
  return {
    home,
    folder: join(resolve(home), 'npm', `${wanted.name.replaceAll('/', '+')}@${wanted.version}`),
    identity: [wanted.name, wanted.version, wanted.integrity, ...(wanted.leaveOut ?? [])].join(' '),
  };
}

async function pack(
  wanted: NpmPackage,
  folder: string,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<string> {
  const watch = setInterval(async () => {
    if (wanted.sizeBytes === undefined) return;
    // npm writes the tarball to its cache first and copies it.
    const share = Math.min(1, (await folderBytes(folder)) / (2 * wanted.sizeBytes));
    progress(
      0.9 * share,
      `${((share * wanted.sizeBytes) / 1e6).toFixed(1)} of ${(wanted.sizeBytes / 1e6).toFixed(1)} MB`,
    );
  }, 250);
  try {
    const { command, args } = npmCommand();
    const options = ['--silent', '--ignore-scripts', '--cache', join(folder, 'cache'), '--pack-destination', folder];
    const spec = `${wanted.name}@${wanted.version}`;
    // In the folder itself, and not as part of this project, when `npm start` is what runs us.
    const env = { npm_config_local_prefix: folder, npm_config_loglevel: 'error' };
    const result = await tryCommand(command, [...args, 'pack', spec, ...options], { cwd: folder, env, signal });
    if (result.exitCode !== 0) throw commandFailed(`npm pack ${spec}`, result);
  } finally {
    clearInterval(watch);
  }
  const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
  if (tarball === undefined) throw new AppError('setup-failed', `npm pack left no tarball of ${wanted.name}`);
  return join(folder, tarball);
}

/** The npm that runs us, or the one on the path. */
function npmCommand(): { readonly command: string; readonly args: readonly string[] } {
  const script = process.env['npm_execpath'];
  return script?.endsWith('npm-cli.js') ? { command: process.execPath, args: [script] } : { command: 'npm', args: [] };
}

async function checkIntegrity(wanted: NpmPackage, tarball: string): Promise<void> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(tarball), hash);
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== wanted.integrity) {
    const message = `${wanted.name}@${wanted.version} has hash ${found}, not ${wanted.integrity}`;
    throw new AppError('integrity-mismatch', message, { package: wanted.name, found, expected: wanted.integrity });
  }
}

async function unpack(wanted: NpmPackage, tarball: string, folder: string): Promise<void> {
  const leaveOut = (wanted.leaveOut ?? []).map((path) => `--exclude=package/${path}`);
  const options = ['--strip-components=1', '--no-same-owner', ...leaveOut];
  const result = await tryCommand('tar', ['-xzf', tarball, '-C', folder, ...options]);
  if (result.exitCode !== 0) throw commandFailed('tar', result);
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        (found) => found.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
