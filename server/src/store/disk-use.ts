import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Space that something below UNCOL_HOME takes. */
export interface DiskUse {
  readonly name: string;
  readonly bytes: number;
}

/** Files and folders right below `home` with the bytes of their files, largest first. */
export async function measureDisk(home: string): Promise<readonly DiskUse[]> {
  const entries = await readdir(home, { withFileTypes: true }).catch(() => []);
  const uses: DiskUse[] = [];
  for (const entry of entries) uses.push({ name: entry.name, bytes: await bytesOf(join(home, entry.name)) });
  return uses.sort((a, b) => b.bytes - a.bytes);
}

async function bytesOf(path: string): Promise<number> {
  // Files come and go while a server works, and PostgreSQL's may be closed to us.
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) return info?.size ?? 0;
  let bytes = 0;
  for (const name of await readdir(path).catch(() => [])) bytes += await bytesOf(join(path, name));
  return bytes;
}
