import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A random key of 32 bytes that is made once and kept in `home/keys/<name>`, readable by the owner only. Two processes
 * that start together get the same one.
 */
export async function readSecretKey(home: string, name: string): Promise<Buffer> {
  const folder = join(home, 'keys');
  const path = join(folder, name);
  const found = await readFile(path).catch(() => undefined);
  if (found?.length === 32) return found;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  await file.writeFile(randomBytes(32));
  await file.sync();
  await file.close();
  // link never replaces: whoever comes second reads the first one's key.
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return readFile(path);
}
