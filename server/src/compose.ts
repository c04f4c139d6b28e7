import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import { removeDrafts } from './candidate/write-version.ts';
import type { Settings } from './config/schema.ts';
import { availableThreads } from './engine/threads.ts';
import { apiRoutes } from './http/api.ts';
import { createApp } from './http/app.ts';
import { createAuthentication, localCaller } from './http/auth.ts';
import { type Child, createChild } from './jobs/children.ts';
import { exportHandler, resumeExports } from './jobs/exports.ts';
import { inferHandler } from './jobs/infer.ts';
import type { InferProgress, InferResult, InferSetUp, InferTask } from './jobs/infer-child.ts';
import { createJobQueue } from './jobs/queue.ts';
import { endAbandonedRounds, failRound, removeEndedRounds } from './jobs/round-ends.ts';
import { startRoundClock } from './jobs/round-start.ts';
import { roundHandler } from './jobs/rounds.ts';
import { startSurveyClock } from './jobs/survey.ts';
import { startTrafficRecord, type TrafficMeters } from './jobs/traffic.ts';
import type { TrainResult, TrainSetUp, TrainTask } from './jobs/train-child.ts';
import { createRegistry, seedFolder } from './registry/registry.ts';
import { openSigningKey } from './registry/signature.ts';
import { isWithin, policyOf } from './round/policy.ts';
import type { RoundProgress } from './round/run.ts';
import type { PreparedHost } from './setup/prepare.ts';
import { openBlobStore } from './store/blobs.ts';
import type { Database } from './store/database.ts';
import { readAliases } from './store/models.ts';
import { readSecretKey } from './store/secret-key.ts';
import { pruneTraffic } from './store/traffic.ts';
import { createPacs, type PacsOptions } from './study/dicomweb.ts';
import { chooseProfile, type ProfileName, profileOf } from './study/pacs-profiles.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Traffic } from './telemetry/traffic.ts';
import { createWorklists } from './worklist/worklists.ts';

/** What the composed server stands on. */
export interface Ground {
  readonly settings: Settings;
  readonly host: Pick<PreparedHost, 'pacs' | 'viewerFolder' | 'sampleRoot'>;
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
  const pacsOptions = pacsOptionsOf(settings, host);
  const { meters, stop: stopTrafficRecord } = startTrafficRecord({ database, metrics, log });
  stops.push(stopTrafficRecord);
  await pruneTraffic(database);
  const pacs = createPacs({ ...pacsOptions, meter: meters.server });
  stops.push(() => pacs.close());
  const blobFolder = join(settings.home, 'blobs');
  const modelFolder = join(settings.home, 'models');
  await mkdir(modelFolder, { recursive: true, mode: 0o700 });
  await removeDrafts(modelFolder);
  const blobs = await openBlobStore(blobFolder);
  const signingKey = openSigningKey(settings);
  const registry = createRegistry({
    signingKey,
    seedFolder: ground.seeds ?? fileURLToPath(seedFolder),
    serviceFolder: modelFolder,
    aliases: () => readAliases(database),
  });

  const children = createChildren(ground, pacsOptions, blobFolder, meters);
  stops.push(() => Promise.all([children.infer.close(), children.train.close()]));
  const queue = await createJobQueue(database, { log, metrics, isAlone: settings.databaseUrl === undefined });
  // Ended before the children: their jobs go back to the queue instead of starting them again.
  stops.push(() => queue.stop());
  const secret = await readSecretKey(settings.home, 'subject');
  const { maxVoxels, heldOutPercent } = settings;
  const policy = policyOf(settings);
  const limits = { maxVoxels, heldOutPercent };
  const parts = { database, queue, registry, blobs, pacs, secret, metrics, settings, policy, ...limits };
  await queue.work('infer', inferHandler({ ...parts, child: children.infer, background: children.train }));
  const type = settings.segType === 'labelmap' ? 'LABELMAP' : 'BINARY';
  await queue.work('export', exportHandler({ ...parts, segEncoding: { type, pixels: settings.segPixels } }));
  await resumeExports(database, queue);
  const roundFolder = join(settings.home, 'rounds');
  await endAbandonedRounds(database, queue);
  await removeEndedRounds(database, roundFolder);
  const promotion = settings.promotion ?? (settings.pacsUrl === undefined ? 'auto' : 'ask');
  const handleRound = roundHandler({
    ...parts,
    promotion,
    signingKey,
    child: children.train,
    modelFolder,
    roundFolder,
  });
  await queue.work('train', handleRound, ({ roundId }, error) => failRound(database, roundId, error));
  stops.push(startRoundClock({ database, queue, registry, policy, log }));
  const ended = new AbortController();
  const worklists = createWorklists({ ...parts, signal: ended.signal });
  const isQuiet = () => policy.quietHours !== null && isWithin(new Date(), policy.quietHours);
  stops.push(startSurveyClock({ database, queue, registry, worklists, ahead: settings.worklistAhead, isQuiet, log }));
  // Ended first: the clock waits for its work, which may wait for a PACS that is silent.
  stops.push(async () => ended.abort());

  const probes = {
    pacs: () => pacs.echo().then(() => true),
    database: () => database.query('select 1').then(() => true),
    samples: async () => ground.areSamplesLoaded(),
  };
  return createApp({
    routes: apiRoutes({ ...parts, ...settings, probes, worklists }),
    authenticate: settings.oidcIssuer
      ? createAuthentication(settings.oidcIssuer, settings.oidcAudience)
      : async () => localCaller,
    host: settings.host,
    log,
    metrics,
    viewer: {
      ...{ viewerFolder: host.viewerFolder, extensionFolder, pacs: host.pacs, source: pacs, meter: meters.viewer },
      wildcards: profileOf(pacsOptions.profile).wildcards,
    },
  });
}

interface Children {
  readonly infer: Child<InferTask, InferProgress, InferResult>;
  readonly train: Child<TrainTask, RoundProgress, TrainResult>;
}

/** The two processes that load networks; training leaves the cores to inference and has the lower priority. */
function createChildren(
  { settings, host, log, metrics }: Ground,
  pacs: PacsOptions,
  blobFolder: string,
  meters: TrafficMeters,
): Children {
  const threads = settings.threads ?? availableThreads().count;
  const idleMs = settings.idleSeconds * 1000;
  const of = <Kind extends 'infer' | 'train'>(kind: Kind) => ({
    ...{ kind, idleMs, log, metrics },
    onTraffic: (traffic: Traffic) => meters[kind].add(traffic),
  });
  const { maxVoxels, engine } = settings;
  const inferSetUp: InferSetUp = { pacs, maxVoxels, blobFolder, threads, engine };
  const trainSetUp: TrainSetUp = {
    ...inferSetUp,
    sampleRoot: host.sampleRoot,
    teacherFiles: join(settings.home, 'teachers'),
    embeddingFolder: join(settings.home, 'embeddings'),
    embeddingQuotaBytes: settings.embeddingQuotaMb * 1e6,
    volumeFolder: join(settings.home, 'volumes'),
    volumeQuotaBytes: settings.roundVolumeQuotaMb * 1e6,
    pacs: { ...pacs, requestsPerSecond: settings.roundRequestsPerSecond },
  };
  const inferEntry = new URL('./jobs/infer-child.ts', import.meta.url);
  const trainEntry = new URL('./jobs/train-child.ts', import.meta.url);
  return {
    infer: createChild({ ...of('infer'), entry: inferEntry, setUp: inferSetUp }),
    train: createChild({ ...of('train'), entry: trainEntry, setUp: trainSetUp, background: true }),
  };
}

/** The PACS as routes and children reach it. */
export function pacsOptionsOf(
  settings: Settings,
  host: Pick<PreparedHost, 'pacs'>,
): PacsOptions & { readonly profile: ProfileName } {
  return {
    url: host.pacs.url,
    credentials: host.pacs.credentials,
    tls: host.pacs.tls,
    idleSeconds: settings.pacsIdleSeconds,
    retries: settings.pacsRetries,
    profile: chooseProfile(settings.pacsProfile, settings.pacsUrl).name,
  };
}
