import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that can be made again, in a folder. They come from pixels: only the owner reads them. */
export interface CacheFolder {
  /** How often something asked for was there, and was not. */
  readonly counts: { readonly hits: number; readonly misses: number };
  get(key: string): Promise<Buffer | undefined>;
  set(key: string, bytes: Uint8Array): Promise<void>;
}

/**
 * Keeps at most `quotaBytes`; beyond that what was used longest ago is dropped. Nothing that is larger is kept at all. The
 * folder is the cache's own: what an earlier version or a crash has left in it counts, and is dropped, too.
 */
export async function openCacheFolder(folder: string, quotaBytes: number): Promise<CacheFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const counts = { hits: 0, misses: 0 };
  // Keys may hold anything, also UIDs; a file name may not.
  const pathOf = (key: string) => join(folder, createHash('sha256').update(key).digest('hex'));
  let used = await sizeOf(folder);
  return {
    counts,
    async get(key) {
      const path = pathOf(key);
      const file = await readFile(path).catch(() => undefined);
      counts[file ? 'hits' : 'misses'] += 1;
      const now = new Date();
      if (file) await utimes(path, now, now).catch(() => undefined);
      return file;
    },
    async set(key, bytes) {
      if (bytes.length > quotaBytes) return;
      const path = pathOf(key);
      const temporary = `${path}.${process.pid}.tmp`;
      // Not synced: what is lost in a crash is made again. Nor is a full disk a fault of whoever asked.
      try {
        await writeFile(temporary, bytes, { mode: 0o600 });
        await rename(temporary, path);
      } catch {
        await rm(temporary, { force: true });
        return;
      }
      used += bytes.length;
      if (used > quotaBytes) used = await dropOldest(folder, 0.8 * quotaBytes);
    },
  };
}

/** Removes all of it; whoever has the folder open makes anew what it needs. */
export async function emptyCacheFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await dropOldest(folder, -1);
}

async function listFiles(folder: string) {
  const names = await readdir(folder);
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
