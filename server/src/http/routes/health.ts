import type { Registry as MetricRegistry } from 'prom-client';
import { z } from 'zod';
import { defineRoute, type Route } from '../route.ts';

const readiness = z.object({ ready: z.boolean(), parts: z.record(z.string(), z.boolean()) }).meta({ id: 'Readiness' });

/** Asks one part of the server whether it works; a rejection counts as no. */
export type Probe = () => Promise<boolean>;

/** Liveness, readiness, metrics: open, because probes carry no token; they hold no patient data. */
export function healthRoutes(probes: Readonly<Record<string, Probe>>, metrics: MetricRegistry): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/livez',
      summary: 'The process answers',
      tag: 'health',
      role: null,
      replies: { 200: z.object({ alive: z.literal(true) }) },
      handle: async () => ({ status: 200, body: { alive: true } }),
    }),
    defineRoute({
      method: 'get',
      path: '/readyz',
      summary: '200 when PACS, database and samples are there, else 503',
      tag: 'health',
      role: null,
      replies: { 200: readiness, 503: readiness },
      async handle() {
        const entries = Object.entries(probes).map(
          async ([name, probe]) => [name, await answersInTime(probe)] as const,
        );
        const parts = Object.fromEntries(await Promise.all(entries));
        const ready = Object.values(parts).every(Boolean);
        return { status: ready ? 200 : 503, body: { ready, parts } };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics in the Prometheus text format',
      tag: 'health',
      role: null,
      replies: { 200: { mediaType: 'text/plain; version=0.0.4; charset=utf-8', description: 'Prometheus text.' } },
      handle: async () => ({ status: 200, bytes: Buffer.from(await metrics.metrics()) }),
    }),
  ];
}

function answersInTime(probe: Probe): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => {
    setTimeout(resolve, 3000, false).unref();
  });
  return Promise.race([probe().catch(() => false), late]);
}
