import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { type ApiParts, apiRoutes } from '../../../server/src/http/api.ts';
import { withDescription } from '../../../server/src/http/app.ts';
import { describeRoutes } from '../../../server/src/http/openapi.ts';
import { defineRoute } from '../../../server/src/http/route.ts';
import { createMetrics } from '../../../server/src/telemetry/metrics.ts';

const golden = new URL('../../golden/openapi.json', import.meta.url);

/** The table of the server; building it touches none of its parts, so only those that are read at once are there. */
const routes = withDescription(
  apiRoutes({ metrics: createMetrics(), probes: {}, maxVoxels: 400_000_000 } as unknown as ApiParts),
);

describe('OpenAPI', () => {
  const document = describeRoutes(routes, '0.0.0');

  it('is a valid OpenAPI 3.1 document', async () => {
    const result = await new Validator().validate(structuredClone(document));
    assert.deepEqual(result.errors ?? [], []);
    assert.ok(result.valid);
  });

  it('is the committed one; set UPDATE_GOLDEN=1 to accept a change', () => {
    const text = `${JSON.stringify(document, null, 2)}\n`;
    if (process.env['UPDATE_GOLDEN']) writeFileSync(golden, text);
    assert.equal(text, readFileSync(golden, 'utf8'));
  });

  it('names each operation once and points only at schemas that are there', () => {
    const ids = [...JSON.stringify(document).matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, routes.length);
    const { schemas } = document['components'] as { schemas: Record<string, unknown> };
    for (const [, name] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(name && name in schemas, `${name} is not described`);
    }
  });

  it('every path that changes something asks for a role', () => {
    for (const route of routes.filter(({ method }) => method !== 'get')) assert.ok(route.role, route.path);
  });

  it('a reply that does not fit its status does not compile', () => {
    defineRoute({
      method: 'get',
      path: '/x',
      summary: 'x',
      tag: 'x',
      role: null,
      replies: { 200: z.object({ alive: z.boolean() }) },
      // @ts-expect-error The body must have a boolean `alive`.
      handle: async () => ({ status: 200, body: { alive: 'yes' } }),
    });
  });
});
