import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { AppError } from '../../server/src/errors/app-error.ts';
import { createApp, listen } from '../../server/src/http/app.ts';
import { localCaller } from '../../server/src/http/auth.ts';
import { correctionHead } from '../../server/src/http/contract.ts';
import { withReason } from '../../server/src/http/contract-learning.ts';
import { defineRoute } from '../../server/src/http/route.ts';
import { decodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import type { Target } from './targets.ts';

const done = z.object({ done: z.boolean() });

/** The real reading of request bodies, in front of routes that do nothing. An answer of 500 is a fault. */
export async function openRestTarget(corpus: readonly Uint8Array[]): Promise<Target> {
  const reply = async () => ({ status: 200 as const, body: { done: true } });
  const app = createApp({
    routes: [
      defineRoute({
        ...{
          method: 'post',
          path: '/v1/masks',
          summary: 'A mask',
          tag: 'fuzz',
          role: 'annotator',
          replies: { 200: done },
        },
        body: { mediaType: 'application/octet-stream', description: 'Envelope.', limitBytes: 1 << 20 },
        handle({ body }) {
          correctionHead.safeParse(decodeEnvelope(body).head);
          return reply();
        },
      }),
      defineRoute({
        ...{ method: 'post', path: '/v1/acts', summary: 'An act', tag: 'fuzz', role: 'admin', replies: { 200: done } },
        body: withReason,
        handle: reply,
      }),
    ],
    authenticate: async () => localCaller,
    host: '127.0.0.1',
    log: createLog('silent'),
    metrics: createMetrics(),
  });
  const server = await listen(app, '127.0.0.1', 0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = async (path: string, headers: Readonly<Record<string, string>>, body: Uint8Array) => {
    const answer = await fetch(url + path, { method: 'POST', headers, body: Buffer.from(body) });
    await answer.arrayBuffer();
    if (answer.status >= 500) throw new Error(`${path} answered ${answer.status}`);
    return answer.status;
  };
  let turn = 0;
  return {
    corpus,
    async run(bytes) {
      turn += 1;
      const binary = { 'content-type': 'application/octet-stream' };
      const ways = [
        () => send('/v1/masks', { ...binary, 'content-encoding': 'gzip' }, bytes),
        () => send('/v1/masks', binary, bytes),
        () => send('/v1/acts', { 'content-type': 'application/json' }, bytes),
      ];
      const status = await ways[turn % ways.length]?.();
      if (status !== 200) throw new AppError('request-invalid', `answered ${status}`);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
