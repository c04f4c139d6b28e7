import { rollBack, serveVersion } from '../../promotion/promote.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Database } from '../../store/database.ts';
import { model } from '../contract.ts';
import { startPromotion, startRollback } from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';
import { presentModel } from './models.ts';

/** Which version serves, by the word of a person. */
export function promotionRoutes(parts: { readonly database: Database; readonly registry: Registry }): Route[] {
  const { database, registry } = parts;
  return [
    defineRoute({
      method: 'post',
      path: '/v1/promotions',
      summary: 'Put a version in service: a candidate that waits, or an earlier one again',
      tag: 'rounds',
      role: 'admin',
      body: startPromotion,
      replies: { 201: model },
      async handle({ body, caller }) {
        const { name, version, reason } = body;
        await registry.resolve(`${name}@${version}`);
        const current = await registry.resolve(name);
        const decision = { actor: caller.subject, reason };
        await serveVersion(database, { name, version, inService: current.card.version }, decision);
        return { status: 201, body: presentModel(await registry.resolve(name)) };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/rollbacks',
      summary: 'Take back the latest promotion of a model: what served before it serves again',
      tag: 'rounds',
      role: 'admin',
      body: startRollback,
      replies: { 200: model },
      async handle({ body, caller }) {
        await registry.resolve(body.model);
        await rollBack(database, body.model, { actor: caller.subject, reason: body.reason });
        return { status: 200, body: presentModel(await registry.resolve(body.model)) };
      },
    }),
  ];
}
