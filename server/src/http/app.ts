import { createServer, type Server } from 'node:http';
import express, { type Express } from 'express';
import { z } from 'zod';
import { code } from '../config/code.ts';
import { AppError } from '../errors/app-error.ts';
import { apiHeaders, refuseForeignChanges, requireOwnHost, viewerHeaders } from './guard.ts';
import { answerProblems, mountRoutes, observe, type Surroundings } from './mount.ts';
import { describeRoutes } from './openapi.ts';
import { defineRoute, type Route } from './route.ts';
import { type ViewerOptions, viewerRouter } from './viewer.ts';

export interface AppOptions extends Surroundings {
  /** The route table: API and probes. */
  readonly routes: readonly Route[];
  /** Address listened on: decides which Host is ours. */
  readonly host: string;
  /** Absent in tests of the API alone. */
  readonly viewer?: Omit<ViewerOptions, 'authenticate'>;
}

/** Wires guards, route table, viewer and problems in this order; does not listen. */
export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use(observe(options), requireOwnHost(options.host), refuseForeignChanges);

  const api = express.Router();
  mountRoutes(api, withDescription(options.routes), options);
  app.use(['/v1', '/openapi.json', '/livez', '/readyz', '/metrics'], apiHeaders);
  app.use(api);
  app.use('/v1', () => {
    throw new AppError('not-found', 'There is no such address below /v1.');
  });
  if (options.viewer) app.use(viewerHeaders, viewerRouter({ ...options.viewer, authenticate: options.authenticate }));
  app.use(answerProblems(options.log));
  return app;
}

/** The table with `/openapi.json`, which describes the table and itself. */
export function withDescription(routes: readonly Route[]): readonly Route[] {
  const all: Route[] = [...routes];
  let described: Record<string, unknown> | undefined;
  all.push(
    defineRoute({
      method: 'get',
      path: '/openapi.json',
      summary: 'This description',
      tag: 'health',
      role: null,
      replies: { 200: z.record(z.string(), z.unknown()) },
      async handle() {
        described ??= describeRoutes(all, code.version);
        return { status: 200, body: described };
      },
    }),
  );
  return all;
}

/** Starts listening; resolves with the server once it accepts connections. */
export function listen(app: Express, host: string, port: number): Promise<Server> {
  const server = createServer(app);
  server.headersTimeout = 10_000;
  server.requestTimeout = 120_000;
  server.keepAliveTimeout = 65_000;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is in use; set UNCOL_PORT' : `cannot be used (${cause.code})`;
      reject(new AppError('setup-failed', `Port ${port} of ${host} ${why}.`, { port }, { cause }));
    });
    server.listen(port, host, () => resolve(server));
  });
}
