import { z } from 'zod';
import { decideNow } from '../../jobs/round-start.ts';
import type { Registry } from '../../registry/registry.ts';
import type { RoundPolicy } from '../../round/policy.ts';
import { appendAudit } from '../../store/audit.ts';
import { countPool } from '../../store/corrections.ts';
import type { Database } from '../../store/database.ts';
import { deletePause, insertPause, readPause } from '../../store/round-pauses.ts';
import { modelName } from '../contract.ts';
import { type Pool, pool, startPause } from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';

export interface PoolParts {
  readonly database: Database;
  readonly registry: Registry;
  readonly policy: RoundPolicy;
}

/** What models can learn from, and whether their rounds start by themselves. */
export function poolRoutes({ database, registry, policy }: PoolParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/pool',
      summary: 'What a model can learn from, and what its next round waits for',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({ model: modelName }),
      replies: { 200: pool },
      handle: async ({ query }) => ({ status: 200, body: await present(query.model) }),
    }),
    defineRoute({
      method: 'post',
      path: '/v1/pool/pause',
      summary: 'Let no round of a model start by itself until further notice; one that runs goes on',
      tag: 'rounds',
      role: 'admin',
      body: startPause,
      replies: { 200: pool },
      async handle({ body, caller }) {
        const { model, reason } = body;
        await registry.resolve(model);
        await database.transaction(async (tx) => {
          await insertPause(tx, { modelName: model, actor: caller.subject, reason });
          await appendAudit(tx, { actor: caller.subject, action: 'rounds-paused', object: { model, reason } });
        });
        return { status: 200, body: await present(model) };
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/v1/pool/pause',
      summary: 'Let rounds of a model start by themselves again; one that is due starts within a minute',
      tag: 'rounds',
      role: 'admin',
      query: z.strictObject({ model: modelName }),
      replies: { 200: pool },
      async handle({ query, caller }) {
        await registry.resolve(query.model);
        await database.transaction(async (tx) => {
          if (!(await deletePause(tx, query.model))) return;
          await appendAudit(tx, { actor: caller.subject, action: 'rounds-resumed', object: { model: query.model } });
        });
        return { status: 200, body: await present(query.model) };
      },
    }),
  ];

  async function present(model: string): Promise<Pool> {
    const { labelledSeries, labelledSlices, heldOutSeries } = await countPool(database, model);
    const { missing, waits } = await decideNow(database, model, policy);
    const pause = await readPause(database, model);
    return {
      model,
      labelledStudies: labelledSeries,
      labelledSlices,
      heldOutStudies: heldOutSeries,
      untilRound: missing,
      waits: waits && { for: waits.for, until: waits.until?.toISOString() ?? null },
      pause: pause ? { reason: pause.reason, since: pause.since.toISOString() } : null,
    };
  }
}
