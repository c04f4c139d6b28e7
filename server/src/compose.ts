import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import type { Settings } from './config/schema.ts';
import { availableThreads } from './engine/threads.ts';
import { apiRoutes } from './http/api.ts';
import { createApp } from './http/app.ts';
import { createAuthentication, localCaller } from './http/auth.ts';
import { type Child, createChild } from './jobs/children.ts';
import { inferHandler } from './jobs/infer.ts';
import type { InferProgress, InferResult, InferSetUp, InferTask } from './jobs/infer-child.ts';
import { createJobQueue } from './jobs/queue.ts';
import { createRegistry, seedFolder } from './registry/registry.ts';
import type { PreparedHost } from './setup/prepare.ts';
import { openBlobStore } from './store/blobs.ts';
import type { Database } from './store/database.ts';
import { readAliases } from './store/models.ts';
import { createPacs, type PacsOptions } from './study/dicomweb.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** What the composed server stands on. */
export interface Ground {
  readonly settings: Settings;
  readonly host: Pick<PreparedHost, 'pacs' | 'viewerFolder'>;
  readonly database: Database;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether the sample studies are in the PACS, or none are wanted. */
  readonly areSamplesLoaded: () => boolean;
  /** `models/` of the repository unless given. */
  readonly seeds?: string;
  /** Takes how each started part is ended; they are ended in reverse order. */
  readonly stops: (() => Promise<unknown>)[];
}

const extensionFolder = fileURLToPath(new URL('../../extension/dist/', import.meta.url));

/** Creates and joins PACS client, models, blobs, children, job queue and routes. */
export async function compose(ground: Ground): Promise<Express> {
  const { settings, host, database, log, metrics, stops } = ground;
  const threads = settings.threads ?? availableThreads().count;
  const pacsOptions = pacsOptionsOf(settings, host);
  const pacs = createPacs(pacsOptions);
  stops.push(() => pacs.close());
  const blobFolder = join(settings.home, 'blobs');
  const modelFolder = join(settings.home, 'models');
  await mkdir(modelFolder, { recursive: true, mode: 0o700 });
  const blobs = await openBlobStore(blobFolder);
  const registry = createRegistry({
    seedFolder: ground.seeds ?? fileURLToPath(seedFolder),
    serviceFolder: modelFolder,
    aliases: () => readAliases(database),
  });

  const inferSetUp: InferSetUp = { pacs: pacsOptions, maxVoxels: settings.maxVoxels, blobFolder, threads };
  const inferChild: Child<InferTask, InferProgress, InferResult> = createChild({
    kind: 'infer',
    entry: new URL('./jobs/infer-child.ts', import.meta.url),
    setUp: inferSetUp,
    idleMs: settings.idleSeconds * 1000,
    log,
    metrics,
  });
  stops.push(() => inferChild.close());
  const queue = await createJobQueue(database, { log, metrics });
  stops.push(() => queue.stop());
  const background = { hold: () => () => undefined };
  await queue.work('infer', inferHandler({ database, registry, child: inferChild, background, metrics }));

  const probes = {
    pacs: () => pacs.echo().then(() => true),
    database: () => database.query('select 1').then(() => true),
    samples: async () => ground.areSamplesLoaded(),
  };
  return createApp({
    routes: apiRoutes({ database, queue, registry, blobs, pacs, metrics, probes }),
    authenticate: settings.oidcIssuer
      ? createAuthentication(settings.oidcIssuer, settings.oidcAudience)
      : async () => localCaller,
    host: settings.host,
    log,
    metrics,
    viewer: { viewerFolder: host.viewerFolder, extensionFolder, pacs: host.pacs },
  });
}

/** The PACS as routes and children reach it. */
export function pacsOptionsOf(settings: Settings, host: Pick<PreparedHost, 'pacs'>): PacsOptions {
  return {
    url: host.pacs.url,
    credentials: host.pacs.credentials,
    idleSeconds: settings.pacsIdleSeconds,
    retries: settings.pacsRetries,
  };
}
