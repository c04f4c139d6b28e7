import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';

/** Bytes named by their sha256 (64 hex digits): what has a name never changes. */
export interface BlobStore {
  /** On disk, with fsync, when the promise resolves; the same bytes twice are stored once. */
  put(bytes: Uint8Array): Promise<string>;
  /** @throws AppError `not-found`, or `integrity-mismatch` when the bytes no longer have their name. */
  get(sha256: string): Promise<Buffer>;
}

/** Blobs as files `folder/sha256/ab/<digest>`. */
export async function openBlobStore(folder: string): Promise<BlobStore> {
  const drafts = join(folder, 'tmp');
  await mkdir(drafts, { recursive: true, mode: 0o700 });
  const folderOf = (sha256: string) => join(folder, 'sha256', sha256.slice(0, 2));
  return {
    async put(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const draft = join(drafts, randomUUID());
      try {
        await writeSynced(draft, bytes);
        const made = await mkdir(folderOf(sha256), { recursive: true, mode: 0o700 });
        await link(draft, join(folderOf(sha256), sha256)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
        });
        await syncFolder(folderOf(sha256));
        // A new folder is an entry of those above it, which a loss of power could take back too.
        if (made !== undefined) for (const above of [join(folder, 'sha256'), folder]) await syncFolder(above);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
        throw new AppError('disk-full', `No space for ${bytes.length} bytes.`, { bytes: bytes.length }, { cause });
      } finally {
        await rm(draft, { force: true });
      }
      return sha256;
    },
    async get(sha256) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError('a blob is named by 64 hex digits');
      const bytes = await readFile(join(folderOf(sha256), sha256)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOENT') throw cause;
        throw new AppError('not-found', `There is no blob ${sha256.slice(0, 12)}.`, {}, { cause });
      });
      if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
        throw new AppError('integrity-mismatch', `The blob ${sha256.slice(0, 12)} is damaged.`);
      }
      return bytes;
    },
  };
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o440);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
