import type { Database } from '../store/database.ts';
import { addTraffic, type TrafficPart, trafficParts } from '../store/traffic.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { TrafficMeter } from '../telemetry/traffic.ts';
import { startClock } from './clock.ts';

const clockMs = 15_000;

/** One meter for each part of the server. */
export type TrafficMeters = Readonly<Record<TrafficPart, TrafficMeter>>;

/** Puts what the meters count on record and into the metrics. @returns the meters, and what ends it with a last record. */
export function startTrafficRecord({
  database,
  metrics,
  log,
}: {
  readonly database: Database;
  readonly metrics: Metrics;
  readonly log: Log;
}): { readonly meters: TrafficMeters; readonly stop: () => Promise<void> } {
  const makeMeters = () =>
    Object.fromEntries(trafficParts.map((part) => [part, new TrafficMeter()])) as unknown as TrafficMeters;
  const meters = makeMeters();
  /** In the metrics already, and not on record yet: the database may be away. */
  const pending = makeMeters();
  const record = async () => {
    for (const part of trafficParts) {
      const fresh = meters[part].take();
      if (fresh) {
        metrics.pacsRequestsTotal.inc({ part }, fresh.requests);
        metrics.pacsBytesTotal.inc({ part, direction: 'received' }, fresh.receivedBytes);
        metrics.pacsBytesTotal.inc({ part, direction: 'sent' }, fresh.sentBytes);
        pending[part].add(fresh);
      }
      const traffic = pending[part].take();
      if (!traffic) continue;
      await addTraffic(database, part, traffic).catch((error: unknown) => {
        pending[part].add(traffic);
        throw error;
      });
    }
  };
  const stopClock = startClock(clockMs, record, { log, what: 'The traffic with the PACS could not be put on record' });
  return {
    meters,
    async stop() {
      await stopClock();
      await record().catch(() => undefined);
    },
  };
}
