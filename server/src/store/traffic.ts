import type { Traffic } from '../telemetry/traffic.ts';
import type { Queryable } from './database.ts';

/** Who speaks with the PACS: OHIF through us, the server itself, the process that segments, the one that learns. */
export const trafficParts = ['viewer', 'server', 'infer', 'train'] as const;
export type TrafficPart = (typeof trafficParts)[number];

/** Traffic of one part on one day. */
export interface DayTraffic extends Traffic {
  /** `2026-11-26`. */
  readonly day: string;
  readonly part: TrafficPart;
}

/** Days that are kept. */
const keptDays = 400;

/** Adds to today's count of a part. */
export async function addTraffic(db: Queryable, part: TrafficPart, traffic: Traffic): Promise<void> {
  await db.query(
    `insert into pacs_traffic (part, requests, received_bytes, sent_bytes) values ($1, $2, $3, $4)
     on conflict (day, part) do update set requests = pacs_traffic.requests + excluded.requests,
       received_bytes = pacs_traffic.received_bytes + excluded.received_bytes,
       sent_bytes = pacs_traffic.sent_bytes + excluded.sent_bytes`,
    [part, traffic.requests, traffic.receivedBytes, traffic.sentBytes],
  );
}

/** Drops the count of days long gone. */
export async function pruneTraffic(db: Queryable): Promise<void> {
  await db.query(`delete from pacs_traffic where day < current_date - ${keptDays}`);
}

/** Traffic of the latest days, newest first. */
export async function listTraffic(db: Queryable, days: number): Promise<readonly DayTraffic[]> {
  const rows = await db.query<Record<keyof DayTraffic, string>>(
    `select to_char(day, 'YYYY-MM-DD') as day, part, requests, received_bytes as "receivedBytes", sent_bytes as "sentBytes"
     from pacs_traffic where day > current_date - $1::integer order by day desc, part`,
    [days],
  );
  return rows.map(({ day, part, requests, receivedBytes, sentBytes }) => ({
    day,
    part: part as TrafficPart,
    requests: Number(requests),
    receivedBytes: Number(receivedBytes),
    sentBytes: Number(sentBytes),
  }));
}
