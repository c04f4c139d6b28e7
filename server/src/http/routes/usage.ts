import { z } from 'zod';
import type { Database } from '../../store/database.ts';
import { measureDisk } from '../../store/disk-use.ts';
import { listTraffic, trafficParts } from '../../store/traffic.ts';
import { defineRoute, type Route } from '../route.ts';

const usage = z
  .object({
    /** Files and folders right below UNCOL_HOME, largest first. */
    disk: z.array(z.object({ name: z.string(), bytes: z.int() })).readonly(),
    /** By day and part, newest first; sizes of bodies. */
    traffic: z
      .array(
        z.object({
          day: z.string(),
          part: z.enum(trafficParts),
          requests: z.int(),
          receivedBytes: z.int(),
          sentBytes: z.int(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'Usage' });

export interface UsageParts {
  readonly database: Database;
  /** UNCOL_HOME. */
  readonly home: string;
}

/** What the server takes of disk and PACS. */
export function usageRoutes({ database, home }: UsageParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/usage',
      summary: 'Disk space below UNCOL_HOME, and traffic with the PACS by day',
      tag: 'usage',
      role: 'admin',
      query: z.strictObject({ days: z.coerce.number().int().min(1).max(400).default(7) }),
      replies: { 200: usage },
      handle: async ({ query }) => ({
        status: 200,
        body: { disk: await measureDisk(home), traffic: await listTraffic(database, query.days) },
      }),
    }),
  ];
}
