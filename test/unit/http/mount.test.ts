import assert from 'node:assert/strict';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import express from 'express';
import { localCaller } from '../../../server/src/http/auth.ts';
import { answerProblems, mountRoutes } from '../../../server/src/http/mount.ts';
import { defineRoute, type Route } from '../../../server/src/http/route.ts';
import type { Log } from '../../../server/src/telemetry/log.ts';
import { createMetrics } from '../../../server/src/telemetry/metrics.ts';

/** Waits until its client has gone. */
const route = (path: string, fault: (signal: AbortSignal) => Error): Route =>
  defineRoute({
    method: 'get',
    path,
    summary: 'waits',
    tag: 'tests',
    role: 'reader',
    replies: { 200: { mediaType: 'text/plain', description: 'nothing' } },
    async handle({ signal }) {
      begun();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      throw fault(signal);
    },
  });
let begun = () => {};

describe('a client that goes before it is answered', () => {
  const lines: string[] = [];
  const note = (text: string) => void lines.push(text);
  const log = { debug: note, info: note, warn: note, error: note, with: () => log } as unknown as Log;
  const app = express();
  mountRoutes(app, [route('/given-up', ({ reason }) => reason), route('/broken', () => new TypeError('broken'))], {
    authenticate: async () => localCaller,
    log,
    metrics: createMetrics(),
  });
  app.use(answerProblems(log));
  const server = createServer(app);
  before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  after(() => server.close().closeAllConnections());

  const leave = async (path: string): Promise<void> => {
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { port } = server.address() as AddressInfo;
    const request = get({ host: '127.0.0.1', port, path }).on('error', () => undefined);
    await started;
    request.destroy();
    for (let open = 1; open > 0; await new Promise(setImmediate))
      open = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  };

  it('is no fault where its work was given up', async () => {
    await leave('/given-up');
    assert.deepEqual(lines.splice(0), []);
  });

  it('hides no fault of the work', async () => {
    await leave('/broken');
    assert.deepEqual(lines.splice(0), ['Request met an unexpected fault']);
  });
});
