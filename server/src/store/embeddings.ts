import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHalf, toHalf } from '../engine/vectors.ts';
import type { EmbeddingCache } from '../uncol/teachers/embedding-cache.ts';

/** An {@link EmbeddingCache} in a folder. */
export interface EmbeddingFolder extends EmbeddingCache {
  /** How often something asked for was there, and was not. */
  readonly counts: { readonly hits: number; readonly misses: number };
}

/**
 * Keeps encodings as files of half-precision numbers, the least recently used ones dropped beyond `quotaBytes`. They hold
 * what a network makes of pixels, so they are kept where corrections are, and are as private.
 */
export async function openEmbeddingFolder(folder: string, quotaBytes: number): Promise<EmbeddingFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const counts = { hits: 0, misses: 0 };
  // Keys may hold anything; a file name may not.
  const pathOf = (key: string) => join(folder, `${createHash('sha256').update(key).digest('hex')}.f16`);
  let bytes = await sizeOf(folder);
  return {
    counts,
    async get(key) {
      const path = pathOf(key);
      const file = await readFile(path).catch(() => undefined);
      counts[file ? 'hits' : 'misses'] += 1;
      if (!file) return undefined;
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
      return fromHalf(file);
    },
    async set(key, values) {
      const path = pathOf(key);
      const half = toHalf(values);
      const temporary = `${path}.${process.pid}.tmp`;
      // Not synced: what is lost in a crash is computed again.
      await writeFile(temporary, half, { mode: 0o600 });
      await rename(temporary, path);
      bytes += half.length;
      if (bytes > quotaBytes) bytes = await dropOldest(folder, 0.8 * quotaBytes);
      return fromHalf(half);
    },
  };
}

/** Removes every encoding; whoever has the folder open makes anew what it needs. */
export async function dropEmbeddings(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await dropOldest(folder, -1);
}

async function listFiles(folder: string) {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.f16'));
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const info = await stat(path).catch(() => undefined);
      return info && { path, bytes: info.size, usedMs: info.mtimeMs };
    }),
  );
  return found.filter((file) => file !== undefined);
}

async function sizeOf(folder: string): Promise<number> {
  return (await listFiles(folder)).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @returns bytes left. */
async function dropOldest(folder: string, limit: number): Promise<number> {
  const files = (await listFiles(folder)).sort((a, b) => a.usedMs - b.usedMs);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files) {
    if (bytes <= limit) break;
    await rm(file.path, { force: true });
    bytes -= file.bytes;
  }
  return bytes;
}
