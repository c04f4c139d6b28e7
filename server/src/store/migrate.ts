import { readdir, readFile } from 'node:fs/promises';
import { AppError } from '../errors/app-error.ts';
import type { Database } from './database.ts';

const folder = new URL('./migrations/', import.meta.url);
/** Any fixed number: two servers that start at once must take the same lock. */
const lockKey = 7_305_114;

/**
 * Brings the tables to the newest version: runs each `NNNN-name.sql` above `schema_version` in order, all in one
 * transaction under an advisory lock, so that servers starting together migrate once.
 *
 * @returns the version reached.
 * @throws AppError `database-unavailable` when the database was written by a newer version of this server.
 */
export async function migrate(database: Database): Promise<number> {
  const files = (await readdir(folder)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
  const newest = versionOf(files.at(-1));
  return database.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [lockKey]);
    await tx.query(
      'create table if not exists schema_version (version integer primary key, applied_at timestamptz not null default now())',
    );
    const [row] = await tx.query<{ version: number }>(
      'select coalesce(max(version), 0) as version from schema_version',
    );
    const current = row?.version ?? 0;
    if (current > newest) {
      throw new AppError(
        'database-unavailable',
        `The database has schema version ${current}, this server knows ${newest}: start the newer server.`,
        { found: current, known: newest },
      );
    }
    for (const file of files.filter((name) => versionOf(name) > current)) {
      await tx.query(await readFile(new URL(file, folder), 'utf8'));
      await tx.query('insert into schema_version (version) values ($1)', [versionOf(file)]);
    }
    return newest;
  });
}

function versionOf(file: string | undefined): number {
  return Number(file?.slice(0, 4) ?? 0);
}
