import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response, Router } from 'express';
import { ZodError, z } from 'zod';
import { AppError, fromErrorRecord, toErrorRecord } from '../errors/app-error.ts';
import { errorTable } from '../errors/table.ts';
import { type Log, stackOf } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Authenticate, type Caller, includesRole, localCaller } from './auth.ts';
import { readBody } from './body.ts';
import { type AnyReply, isBinary, problemOf, type Route } from './route.ts';

/** What every request needs. */
export interface Surroundings {
  readonly authenticate: Authenticate;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Also checks each JSON reply against its schema: for tests, it costs time. */
  readonly checkReplies?: boolean;
}

const idempotencyKey = z.string().regex(/^[\x21-\x7e]{8,128}$/, 'must be 8 to 128 printable characters');

/** Mounts a route table: each request is authorised, parsed, handled, timed and answered, problems included. */
export function mountRoutes(router: Router, routes: readonly Route[], around: Surroundings): void {
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    router[route.method](path, authorise(route, around), readBody(route), serve(route, around));
  }
}

/** Gives each request an id for log and problems, and times its reply under the route's pattern. */
export function observe({ metrics }: Surroundings): RequestHandler {
  return (request, response, next) => {
    response.locals['requestId'] = randomUUID();
    const started = performance.now();
    response.once('close', () => {
      // Streams of events last as long as the job: their time says nothing.
      if (String(response.getHeader('content-type')).startsWith('text/event-stream')) return;
      const route = (request.route as { path?: string } | undefined)?.path ?? 'other';
      const status = `${Math.floor(response.statusCode / 100)}xx`;
      metrics.httpSeconds.observe({ method: request.method, route, status }, (performance.now() - started) / 1000);
    });
    next();
  };
}

/** Answers any thrown value as problem+json; what is not ours stays out of the answer and shows its place in the log. */
export function answerProblems(log: Log) {
  return (thrown: unknown, request: Request, response: Response, next: NextFunction): void => {
    // The client has gone and its work was given up: there is nobody to answer, and no fault.
    if (response.destroyed && (thrown as Error | undefined)?.name === 'AbortError') return;
    const error = asAppError(thrown);
    const requestId = String(response.locals['requestId'] ?? '');
    const route = (request.route as { path?: string } | undefined)?.path ?? 'other';
    const fields = { requestId, method: request.method, route, status: error.status, code: error.code };
    if (error.code === 'internal') log.error('Request met an unexpected fault', { ...fields, stack: stackOf(thrown) });
    else log.info('Request refused', fields);
    if (response.headersSent) {
      next(thrown);
      return;
    }
    if (error.status === 503) response.set('retry-after', '10');
    if (error.status === 401) response.set('www-authenticate', 'Bearer');
    const body = problemOf(error, errorTable[error.code].title, requestId);
    response.status(error.status).type('application/problem+json').send(JSON.stringify(body));
  };
}

/** Allows a request when the caller has at least `role`; leaves the caller for the handler. */
export function requireRole(role: Route['role'], authenticate: Authenticate): RequestHandler {
  return async (request, response, next) => {
    if (role !== null) {
      const caller = await authenticate(request.get('authorization'));
      if (!includesRole(caller.role, role)) {
        throw new AppError('not-allowed', `This needs the role ${role}; you have ${caller.role}.`);
      }
      response.locals['caller'] = caller;
    }
    next();
  };
}

function authorise(route: Route, { authenticate }: Surroundings): RequestHandler {
  return requireRole(route.role, authenticate);
}

function serve(route: Route, { log, checkReplies }: Surroundings): RequestHandler {
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const reply = await route.handle({
      params: route.params?.parse(request.params),
      query: route.query?.parse(request.query),
      body: !route.body || isBinary(route.body) ? request.body : route.body.parse(request.body),
      caller: (response.locals['caller'] as Caller | undefined) ?? localCaller,
      idempotencyKey: readIdempotencyKey(route, request),
      log: log.with({ requestId: String(response.locals['requestId']) }),
      request,
      signal: gone.signal,
    });
    await answer(route, reply, response, checkReplies ?? false);
  };
}

function readIdempotencyKey(route: Route, request: Request): string | undefined {
  const value = request.get('idempotency-key');
  if (!route.idempotencyKey || (value === undefined && route.idempotencyKey === 'optional')) return undefined;
  const parsed = idempotencyKey.safeParse(value);
  if (!parsed.success) {
    throw new AppError('request-invalid', 'The header Idempotency-Key must hold 8 to 128 printable characters.');
  }
  return parsed.data;
}

async function answer(route: Route, reply: AnyReply, response: Response, check: boolean): Promise<void> {
  const declared = route.replies[reply.status];
  if (declared === undefined) throw new TypeError(`${route.path} does not declare the status ${reply.status}`);
  response.status(reply.status).set(reply.headers ?? {});
  if (declared === null) {
    response.end();
  } else if (isBinary(declared)) {
    response.set('content-type', declared.mediaType);
    if (reply.write) await reply.write(response);
    else response.end(reply.bytes);
  } else {
    if (check) declared.parse(reply.body);
    response.json(reply.body);
  }
}

function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof ZodError) return new AppError('request-invalid', describeIssues(thrown));
  const { type, status } = thrown as { type?: string; status?: number };
  if (type === 'entity.too.large') return new AppError('request-too-large', 'The body is larger than allowed.');
  if (status !== undefined && status >= 400 && status < 500) {
    return new AppError('request-invalid', `The request cannot be read (${type ?? status}).`);
  }
  return fromErrorRecord(toErrorRecord(thrown));
}

/** Names fields and rules, never values: a value may be patient data. */
function describeIssues(error: ZodError): string {
  const parts = error.issues.slice(0, 10).map((issue) => {
    const where = issue.path.join('.') || 'request';
    const rule = issue.code === 'unrecognized_keys' ? 'has unknown keys' : issue.code.replaceAll('_', ' ');
    return `${where}: ${rule}`;
  });
  return `Not valid: ${parts.join('; ')}.`;
}
