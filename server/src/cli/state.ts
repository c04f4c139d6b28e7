import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/schema.ts';
import { createRegistry, type Registry, seedFolder } from '../registry/registry.ts';
import { openSigningKey } from '../registry/signature.ts';
import { holdHome } from '../setup/home-lock.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { startEmbedded } from '../store/embedded.ts';
import { migrate } from '../store/migrate.ts';
import { readAliases } from '../store/models.ts';

/**
 * Runs `work` on the database of a server, running or not; without one (nothing was ever served from this home) `work`
 * gets undefined, and none is made.
 */
export async function withDatabase<Result>(
  settings: Settings,
  work: (database: Database | undefined) => Promise<Result>,
): Promise<Result> {
  if (settings.databaseUrl !== undefined) return withOpen(settings.databaseUrl, work);
  if (!(await exists(join(settings.home, 'database')))) return work(undefined);
  // A server that holds the home keeps its database running, so it is taken over and left alone.
  const release = await holdHome(settings.home).catch(() => undefined);
  try {
    const embedded = await startEmbedded(settings.home);
    try {
      return await withOpen(embedded.url, work);
    } finally {
      if (release && !embedded.adopted) await embedded.stop();
    }
  } finally {
    await release?.();
  }
}

/** Registry of the seeds and of the versions made in service. */
export function openRegistry(settings: Settings, database: Database | undefined): Registry {
  return createRegistry({
    signingKey: openSigningKey(settings),
    seedFolder: fileURLToPath(seedFolder),
    serviceFolder: join(settings.home, 'models'),
    aliases: async () => (database ? readAliases(database) : new Map()),
  });
}

async function withOpen<Result>(url: string, work: (database: Database) => Promise<Result>): Promise<Result> {
  const database = openDatabase(url, { connections: 2 });
  try {
    await migrate(database);
    return await work(database);
  } finally {
    await database.close();
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
