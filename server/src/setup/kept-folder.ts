import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { withLock } from './lock.ts';
import type { Progress } from './steps.mjs';

const MARKER = '.kept.json';
const marker = z.object({
  /** What the folder holds; another identity means another content. */
  identity: z.string(),
  /** Parts with their versions, for a reader. */
  parts: z.array(z.string()),
  /** Size in bytes of each file. */
  files: z.record(z.string(), z.number()),
});

export interface KeptFolder {
  /** `UNCOL_HOME`. */
  readonly home: string;
  /** Where the content lies in the end. */
  readonly folder: string;
  /** Name and version of the content; a change makes it anew. */
  readonly identity: string;
}

/**
 * Makes sure that `folder` holds its content, whole; `fill` writes it to a temporary folder beside it and answers the
 * names of its parts. Costs one look at each file when the content is there. An interrupted, truncated or foreign
 * content is made again; two processes at once make it once.
 *
 * @throws AppError what `fill` throws, the reason of `signal`, or `setup-failed` from the lock. A failure leaves nothing behind.
 */
export async function keepFolder(
  kept: KeptFolder,
  fill: (temporary: string) => Promise<readonly string[]>,
  progress: Progress = () => {},
  signal?: AbortSignal,
): Promise<string> {
  if (await isWhole(kept)) return kept.folder;
  const waiting = () => progress(null, 'waiting for another set-up');
  return await withLock(
    join(kept.home, 'setup.lock'),
    async () => {
      if (await isWhole(kept)) return kept.folder;
      await replace(kept, fill);
      return kept.folder;
    },
    waiting,
    signal,
  );
}

/** Forgets the content, so that the next {@link keepFolder} makes it again. */
export async function forgetFolder(kept: KeptFolder): Promise<void> {
  await rm(join(kept.folder, MARKER), { force: true });
}

async function replace(kept: KeptFolder, fill: (temporary: string) => Promise<readonly string[]>): Promise<void> {
  const parent = dirname(kept.folder);
  const prefix = `.${basename(kept.folder)}.partial-`;
  await mkdir(parent, { recursive: true, mode: 0o700 });
  // Under the lock every partial folder is the rest of a run that ended.
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const temporary = join(parent, `${prefix}${process.pid}`);
  try {
    await mkdir(temporary);
    const parts = await fill(temporary);
    const content = { identity: kept.identity, parts, files: await fileSizes(temporary) };
    await writeFile(join(temporary, MARKER), JSON.stringify(content, null, 1));
    await rm(kept.folder, { recursive: true, force: true });
    await rename(temporary, kept.folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function isWhole(kept: KeptFolder): Promise<boolean> {
  try {
    const found = marker.parse(JSON.parse(await readFile(join(kept.folder, MARKER), 'utf8')));
    if (found.identity !== kept.identity) return false;
    const entries = Object.entries(found.files);
    const same = await Promise.all(
      entries.map(async ([path, size]) => (await lstat(join(kept.folder, path))).size === size),
    );
    return same.every(Boolean);
  } catch {
    return false;
  }
}

async function fileSizes(folder: string): Promise<Record<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(
    files.map(async (path) => [relative(folder, path), (await lstat(path)).size] as const),
  );
  return Object.fromEntries(sizes);
}
