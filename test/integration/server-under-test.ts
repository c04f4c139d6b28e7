import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../../server/src/compose.ts';
import { loadSettings } from '../../server/src/config/load.ts';
import { listen } from '../../server/src/http/app.ts';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import type { Database } from '../../server/src/store/database.ts';
import { createPacs } from '../../server/src/study/dicomweb.ts';
import type { Pacs } from '../../server/src/study/pacs.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../server/src/telemetry/metrics.ts';
import { makeModel } from '../fixtures/make-model.ts';
import { startTestDatabase } from './database.ts';

/** The whole server on a real Orthanc and PostgreSQL, with an untrained model and a stand-in for the viewer's files. */
export interface ServerUnderTest {
  /** Without a slash at its end. */
  readonly url: string;
  readonly home: string;
  readonly orthanc: Orthanc;
  readonly pacs: Pacs;
  readonly database: Database;
  readonly metrics: Metrics;
  /** Lines of the log. */
  readonly logLines: readonly string[];
  close(): Promise<void>;
}

/** @param environment `UNCOL_*` variables beside the home. */
export async function startServer(environment: Record<string, string> = {}): Promise<ServerUnderTest> {
  const home = await mkdtemp(join(tmpdir(), 'uncol-server-'));
  const orthanc = await startOrthanc({ home, log: () => undefined });
  const test = await startTestDatabase();
  const viewerFolder = join(home, 'viewer');
  const seeds = join(home, 'seeds');
  await mkdir(viewerFolder);
  await writeFile(join(viewerFolder, 'index.html'), '<!doctype html><title>viewer</title>');
  await writeFile(join(viewerFolder, 'app.0123456789abcdef.js'), `/* ${'x'.repeat(4000)} */`);
  await makeModel(seeds);
  const logLines: string[] = [];
  const metrics = createMetrics();
  const stops: (() => Promise<unknown>)[] = [];
  const app = await compose({
    settings: loadSettings({ UNCOL_HOME: home, UNCOL_PORT: '0', UNCOL_THREADS: '1', ...environment }),
    // No round runs here, so there is nothing to make volumes from.
    host: { pacs: { url: orthanc.url, credentials: orthanc.credentials, own: true }, viewerFolder, sampleRoot: home },
    database: test.database,
    log: createLog('debug', undefined, { write: (line) => logLines.push(line) }),
    metrics,
    areSamplesLoaded: () => true,
    seeds,
    stops,
  });
  const server = await listen(app, '127.0.0.1', 0);
  const pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 10, retries: 1 });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    home,
    orthanc,
    pacs,
    database: test.database,
    metrics,
    logLines,
    async close() {
      await closeNow(server);
      for (const stop of stops.reverse()) await stop();
      await pacs.close();
      await orthanc.stop();
      await test.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function closeNow(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
