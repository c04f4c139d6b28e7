import { z } from 'zod';
import { hold, release } from '../../promotion/hold.ts';
import type { HoldTable } from '../../store/holds.ts';
import { modelName } from '../contract.ts';
import { pool, startHold } from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';
import { type PoolParts, presentPool } from './pool.ts';

/** What an administrator stops of a model until further notice. */
export function holdRoutes(parts: PoolParts): Route[] {
  return [
    ...routesOf(parts, {
      table: 'round_pause',
      path: '/v1/pauses',
      toHold: 'Let no round of a model start by itself until further notice; one that runs goes on',
      toRelease: 'Let rounds of a model start by themselves again; one that is due starts within a minute',
    }),
    ...routesOf(parts, {
      table: 'model_pin',
      path: '/v1/pins',
      toHold: 'Keep the version in service whatever rounds find: candidates that pass the gate wait',
      toRelease: 'Let candidates that pass the gate come into service again',
    }),
  ];
}

interface HoldKind {
  readonly table: HoldTable;
  readonly path: string;
  /** Summaries of the two routes. */
  readonly toHold: string;
  readonly toRelease: string;
}

function routesOf(parts: PoolParts, { table, path, toHold, toRelease }: HoldKind): Route[] {
  const { database, registry } = parts;
  return [
    defineRoute({
      method: 'post',
      path,
      summary: toHold,
      tag: 'rounds',
      role: 'admin',
      body: startHold,
      replies: { 200: pool },
      async handle({ body, caller }) {
        const { model, reason } = body;
        await registry.resolve(model);
        await hold(database, table, model, { actor: caller.subject, reason });
        return { status: 200, body: await presentPool(parts, model) };
      },
    }),
    defineRoute({
      method: 'delete',
      path,
      summary: toRelease,
      tag: 'rounds',
      role: 'admin',
      query: z.strictObject({ model: modelName }),
      replies: { 200: pool },
      async handle({ query, caller }) {
        const { model } = query;
        await registry.resolve(model);
        await release(database, table, model, caller.subject);
        return { status: 200, body: await presentPool(parts, model) };
      },
    }),
  ];
}
