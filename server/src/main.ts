import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Settings } from './config/schema.ts';
import { availableThreads } from './engine/threads.ts';
import { apiRoutes } from './http/api.ts';
import { createApp, listen } from './http/app.ts';
import { createAuthentication, localCaller } from './http/auth.ts';
import { type Child, createChild } from './jobs/children.ts';
import { inferHandler } from './jobs/infer.ts';
import type { InferProgress, InferResult, InferSetUp, InferTask } from './jobs/infer-child.ts';
import { createJobQueue } from './jobs/queue.ts';
import type { SampleProgress, SampleResult, SampleSetUp } from './jobs/sample-child.ts';
import { createRegistry, seedFolder } from './registry/registry.ts';
import { holdHome } from './setup/home-lock.ts';
import { type PreparedHost, prepareHost } from './setup/prepare.ts';
import type { Steps } from './setup/steps.mjs';
import { openBlobStore } from './store/blobs.ts';
import { type Database, openDatabase } from './store/database.ts';
import { startEmbedded } from './store/embedded.ts';
import { migrate } from './store/migrate.ts';
import { readAliases } from './store/models.ts';
import { readSecretKey } from './store/secret-key.ts';
import { createPacs, type PacsOptions } from './study/dicomweb.ts';
import { createLog, type Log, openLogFile } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

/** A server that accepts requests. */
export interface RunningServer {
  /** Address to open. */
  readonly url: string;
  /** Ends everything that was started, in reverse order. */
  stop(): Promise<void>;
}

const extensionFolder = fileURLToPath(new URL('../../extension/dist/', import.meta.url));

/**
 * Starts everything, low to high: log, PACS and viewer files, database, models, jobs, HTTP, samples. What was started
 * is ended again when a later part fails or `signal` aborts.
 *
 * @throws AppError of the part that failed.
 */
export async function serve(settings: Settings, steps: Steps, signal?: AbortSignal): Promise<RunningServer> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    // One that cannot be stopped must not keep the others running.
    for (let next = stops.pop(); next; next = stops.pop()) await next().catch(() => undefined);
  };
  const starting = start(settings, steps, stops, signal);
  try {
    return { url: await starting, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  settings: Settings,
  steps: Steps,
  stops: (() => Promise<unknown>)[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const { home } = settings;
  await mkdir(home, { recursive: true, mode: 0o700 });
  stops.push(await holdHome(home));
  const log = await openServerLog(settings);
  const metrics = createMetrics();
  const threads = settings.threads ?? availableThreads().count;

  const host = await prepareHost(settings, steps, (line) => log.debug(line));
  stops.push(() => host.stop());
  signal?.throwIfAborted();
  const database = await steps.run('Database (PostgreSQL)', () => startDatabase(settings, stops));
  signal?.throwIfAborted();

  const pacsOptions = pacsOptionsOf(settings, host);
  const pacs = createPacs(pacsOptions);
  stops.push(() => pacs.close());
  const blobFolder = join(home, 'blobs');
  const blobs = await openBlobStore(blobFolder);
  const registry = createRegistry({
    seedFolder: fileURLToPath(seedFolder),
    serviceFolder: join(home, 'models'),
    aliases: () => readAliases(database),
  });

  const setUp: InferSetUp = { pacs: pacsOptions, maxVoxels: settings.maxVoxels, blobFolder, threads };
  const inferChild: Child<InferTask, InferProgress, InferResult> = createChild({
    kind: 'infer',
    entry: new URL('./jobs/infer-child.ts', import.meta.url),
    setUp,
    idleMs: settings.idleSeconds * 1000,
    log,
    metrics,
  });
  stops.push(() => inferChild.close());
  const queue = await createJobQueue(database, { log, metrics });
  stops.push(() => queue.stop());
  const background = { hold: () => () => undefined };
  await queue.work('infer', inferHandler({ database, registry, child: inferChild, background, metrics }));

  let samplesLoaded = host.sampleRoot === undefined;
  const probes = {
    pacs: () => pacs.echo().then(() => true),
    database: () => database.query('select 1').then(() => true),
    samples: async () => samplesLoaded,
  };
  const app = createApp({
    routes: apiRoutes({ database, queue, registry, blobs, pacs, metrics, probes }),
    authenticate: settings.oidcIssuer
      ? createAuthentication(settings.oidcIssuer, settings.oidcAudience)
      : async () => localCaller,
    host: settings.host,
    log,
    metrics,
    viewer: { viewerFolder: host.viewerFolder, extensionFolder, pacs: host.pacs },
  });
  const server = await listen(app, settings.host, settings.port);
  stops.push(() => closeServer(server));
  signal?.throwIfAborted();
  if (host.sampleRoot !== undefined) {
    await steps.run('Sample studies', (progress) => loadSamples(host, pacsOptions, { log, metrics, stops, progress }));
    samplesLoaded = true;
  }
  signal?.throwIfAborted();
  const { port } = server.address() as AddressInfo;
  log.info('Server ready', { port, threads });
  return `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}/`;
}

/** On a terminal the log goes to a file, so that steps and address stay readable. */
async function openServerLog({ home, logLevel }: Settings): Promise<Log> {
  const key = await readSecretKey(home, 'log');
  return process.stderr.isTTY
    ? createLog(logLevel, key, openLogFile(join(home, 'uncol.log')))
    : createLog(logLevel, key);
}

async function startDatabase(settings: Settings, stops: (() => Promise<unknown>)[]): Promise<Database> {
  let url = settings.databaseUrl;
  if (url === undefined) {
    const server = await startEmbedded(settings.home);
    stops.push(() => server.stop());
    url = server.url;
  }
  const database = openDatabase(url);
  stops.push(() => database.close());
  await migrate(database);
  return database;
}

/** The PACS as children and routes reach it. */
export function pacsOptionsOf(settings: Settings, host: Pick<PreparedHost, 'pacs'>): PacsOptions {
  return {
    url: host.pacs.url,
    credentials: host.pacs.credentials,
    idleSeconds: settings.pacsIdleSeconds,
    retries: settings.pacsRetries,
  };
}

async function loadSamples(
  host: PreparedHost,
  pacs: PacsOptions,
  around: {
    readonly log: Log;
    readonly metrics: ReturnType<typeof createMetrics>;
    readonly stops: (() => Promise<unknown>)[];
    readonly progress: (share: number | null, note?: string) => void;
  },
): Promise<void> {
  const { sampleRoot, daikonFolder } = host;
  if (sampleRoot === undefined) return;
  const setUp: SampleSetUp = { pacs, sources: { sampleRoot, ...(daikonFolder ? { daikonFolder } : {}) } };
  const { log, metrics } = around;
  const entry = new URL('./jobs/sample-child.ts', import.meta.url);
  const child: Child<null, SampleProgress, SampleResult> = createChild({
    ...{ kind: 'samples', entry, setUp, idleMs: 1000, log, metrics },
  });
  around.stops.push(() => child.close());
  const onProgress = ({ name, done }: SampleProgress) => around.progress(null, `${name} (${done + 1})`);
  const { studies, stored } = await child.run(null, { signal: new AbortController().signal, onProgress });
  await child.close();
  around.progress(1, `${studies} studies, ${stored} new`);
}

/** Lets running requests end for a moment, then cuts what is left: streams of events would stay open for ever. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(cut);
}
