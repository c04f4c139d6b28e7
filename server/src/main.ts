import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { compose, pacsOptionsOf } from './compose.ts';
import type { Settings } from './config/schema.ts';
import { listen } from './http/app.ts';
import { type Child, createChild } from './jobs/children.ts';
import type { SampleProgress, SampleResult, SampleSetUp } from './jobs/sample-child.ts';
import { holdHome } from './setup/home-lock.ts';
import { type PreparedHost, prepareHost } from './setup/prepare.ts';
import type { Progress, Steps } from './setup/steps.mjs';
import { type Database, openDatabase } from './store/database.ts';
import { startEmbedded } from './store/embedded.ts';
import { migrate } from './store/migrate.ts';
import { readSecretKey } from './store/secret-key.ts';
import { createLog, type Log, openLogFile } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';

/** A server that accepts requests. */
export interface RunningServer {
  /** Address to open. */
  readonly url: string;
  /** Ends everything that was started, in reverse order. */
  stop(): Promise<void>;
}

type Stops = (() => Promise<unknown>)[];

/**
 * Starts everything, low to high: log, PACS and viewer files, database, models, jobs, HTTP, samples. What was started
 * is ended again when a later part fails or `signal` aborts.
 *
 * @throws AppError of the part that failed.
 */
export async function serve(settings: Settings, steps: Steps, signal?: AbortSignal): Promise<RunningServer> {
  const stops: Stops = [];
  const stop = async () => {
    // One that cannot be stopped must not keep the others running.
    for (let next = stops.pop(); next; next = stops.pop()) await next().catch(() => undefined);
  };
  try {
    const url = await start(settings, steps, stops, signal);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(settings: Settings, steps: Steps, stops: Stops, signal?: AbortSignal): Promise<string> {
  await mkdir(settings.home, { recursive: true, mode: 0o700 });
  stops.push(await holdHome(settings.home));
  const log = await openServerLog(settings);
  const metrics = createMetrics();

  const host = await prepareHost(settings, steps, (line) => log.debug(line), signal);
  stops.push(() => host.stop());
  signal?.throwIfAborted();
  const database = await steps.run('Database (PostgreSQL)', () => startDatabase(settings, stops));
  signal?.throwIfAborted();
  let samplesLoaded = host.daikonFolder === undefined;
  const areSamplesLoaded = () => samplesLoaded;
  const app = await compose({ settings, host, database, log, metrics, areSamplesLoaded, stops });
  const server = await listen(app, settings.host, settings.port);
  stops.push(() => closeServer(server));
  signal?.throwIfAborted();
  if (host.daikonFolder !== undefined) {
    const child = createSampleChild(settings, host, log, metrics);
    stops.push(() => child.close());
    await steps.run('Sample studies', (progress) => loadSamples(child, progress, signal));
    samplesLoaded = true;
  }
  signal?.throwIfAborted();
  const { port } = server.address() as AddressInfo;
  log.info('Server ready', { port });
  return `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}/`;
}

/** On a terminal the log goes to a file, so that steps and address stay readable. */
async function openServerLog({ home, logLevel }: Settings): Promise<Log> {
  const key = await readSecretKey(home, 'log');
  return process.stderr.isTTY
    ? createLog(logLevel, key, openLogFile(join(home, 'uncol.log')))
    : createLog(logLevel, key);
}

async function startDatabase(settings: Settings, stops: Stops): Promise<Database> {
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

type SampleChild = Child<null, SampleProgress, SampleResult>;

function createSampleChild(settings: Settings, host: PreparedHost, log: Log, metrics: Metrics): SampleChild {
  const { sampleRoot, daikonFolder } = host;
  const sources = { sampleRoot, ...(daikonFolder ? { daikonFolder } : {}) };
  const setUp: SampleSetUp = { pacs: pacsOptionsOf(settings, host), sources };
  const entry = new URL('./jobs/sample-child.ts', import.meta.url);
  return createChild({ kind: 'samples', entry, setUp, idleMs: 1000, log, metrics });
}

async function loadSamples(child: SampleChild, progress: Progress, signal?: AbortSignal): Promise<void> {
  const onProgress = ({ name, done }: SampleProgress) => progress(null, `${name} (${done + 1})`);
  const { studies, stored } = await child.run(null, { signal: signal ?? new AbortController().signal, onProgress });
  await child.close();
  progress(1, `${studies} studies, ${stored} new`);
}

/** Lets running requests end for a moment, then cuts what is left: streams of events would stay open for ever. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(cut);
}
