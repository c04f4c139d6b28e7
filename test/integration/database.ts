import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openDatabase } from '../../server/src/store/database.ts';
import { startEmbedded } from '../../server/src/store/embedded.ts';
import { migrate } from '../../server/src/store/migrate.ts';

/** A real PostgreSQL of a test's own with the newest tables; `close` leaves nothing behind. */
export async function startTestDatabase(): Promise<{
  readonly database: Database;
  readonly home: string;
  close(): Promise<void>;
}> {
  const home = await mkdtemp(join(tmpdir(), 'uncol-test-'));
  const server = await startEmbedded(home);
  const database = openDatabase(server.url);
  await migrate(database);
  return {
    database,
    home,
    async close() {
      await database.close();
      await server.stop();
      await rm(server.folder, { recursive: true, force: true });
      await rm(home, { recursive: true, force: true });
    },
  };
}
