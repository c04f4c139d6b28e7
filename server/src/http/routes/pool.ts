import { z } from 'zod';
import { decideNow } from '../../jobs/round-start.ts';
import { qualityOf } from '../../promotion/quality.ts';
import type { Registry } from '../../registry/registry.ts';
import type { RoundPolicy } from '../../round/policy.ts';
import type { Database } from '../../store/database.ts';
import { type Hold, readHold } from '../../store/holds.ts';
import { listJudgements } from '../../store/pool.ts';
import { modelName } from '../contract.ts';
import { type Pool, pool, quality } from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';

/** Corrections that the quality of versions is told from. */
const latestCorrections = 1000;

export interface PoolParts {
  readonly database: Database;
  readonly registry: Registry;
  readonly policy: RoundPolicy;
}

/** What models can learn from. */
export function poolRoutes(parts: PoolParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/pool',
      summary: 'What a model can learn from, what its next round waits for, and what an administrator has stopped',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({ model: modelName }),
      replies: { 200: pool },
      handle: async ({ query }) => ({ status: 200, body: await presentPool(parts, query.model) }),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/quality',
      summary: 'How readers agreed with each version of a model, and whether that is falling',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({ model: modelName }),
      replies: { 200: quality },
      async handle({ query }) {
        const { card } = await parts.registry.resolve(query.model);
        const versions = qualityOf(await listJudgements(parts.database, query.model, latestCorrections));
        const segments = card.segments.map(({ label }) => label);
        return { status: 200, body: { model: query.model, segments, versions } };
      },
    }),
  ];
}

/** @throws AppError `model-not-found` */
export async function presentPool({ database, registry, policy }: PoolParts, model: string): Promise<Pool> {
  const { card } = await registry.resolve(model);
  const { missing, waits, pause, pool: counts } = await decideNow(database, model, policy);
  const { labelledSeries, labelledSlices, heldOutSeries } = counts;
  return {
    model,
    labelledStudies: labelledSeries,
    labelledSlices,
    heldOutStudies: heldOutSeries,
    untilRound: missing,
    waits: waits && { for: waits.for, until: waits.until?.toISOString() ?? null },
    pause: presentHold(pause),
    pin: presentHold(await readHold(database, 'model_pin', model)),
    inService: card.version,
  };
}

function presentHold(hold: Hold | undefined): Pool['pause'] {
  return hold ? { reason: hold.reason, since: hold.since.toISOString() } : null;
}
