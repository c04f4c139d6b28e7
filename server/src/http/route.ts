import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { AppError } from '../errors/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Caller, Role } from './auth.ts';

/** Bytes in a request or a reply instead of JSON. */
export interface BinaryBody {
  readonly mediaType: string;
  readonly description: string;
  /** Of a request: largest size after inflation, bytes. */
  readonly limitBytes?: number;
}

export const isBinary = (body: z.ZodType | BinaryBody | null): body is BinaryBody =>
  body !== null && 'mediaType' in body;

/** Every reply that a route can give beside problems, by status; null = no body. */
export type Replies = Readonly<Record<number, z.ZodType | BinaryBody | null>>;

type Parsed<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;
type BodyOf<Body> = Body extends z.ZodType ? z.infer<Body> : Body extends BinaryBody ? Buffer : undefined;
type ReplyBody<Body> = Body extends z.ZodType
  ? { readonly body: z.input<Body> }
  : Body extends BinaryBody
    ? { readonly bytes: Uint8Array } | { readonly write: (response: Response) => Promise<void> }
    : object;

/** A status of the route with the body that its schema asks for. */
export type Reply<R extends Replies> = {
  [Status in keyof R & number]: {
    readonly status: Status;
    readonly headers?: Readonly<Record<string, string>>;
  } & ReplyBody<R[Status]>;
}[keyof R & number];

/** What a handler gets: everything parsed and authorised. */
export interface Context<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** Header `Idempotency-Key`, if the route takes one. */
  readonly idempotencyKey: string | undefined;
  readonly log: Log;
  readonly request: Request;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** One row of the route table: mounts, validates, authorises and documents itself. */
export interface Route {
  readonly method: 'get' | 'post' | 'delete';
  /** With parameters in braces: `/v1/jobs/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** Least role; null = open to everybody. */
  readonly role: Role | null;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType | BinaryBody;
  /** Whether header `Idempotency-Key` is not taken, may be or must be there. */
  readonly idempotencyKey?: 'optional' | 'required';
  readonly replies: Replies;
  handle(context: Context<unknown, unknown, unknown>): Promise<AnyReply>;
}

/** A reply with the type of its body forgotten. */
export interface AnyReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly bytes?: Uint8Array;
  readonly write?: (response: Response) => Promise<void>;
}

/** Writes a route down; params, query, body and replies of the handler take their types from the schemas. */
export function defineRoute<
  const R extends Replies,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | BinaryBody | undefined = undefined,
  // Inferred as it is written, so that a literal status stays a literal.
  const A extends Reply<R> = Reply<R>,
>(
  route: Omit<Route, 'params' | 'query' | 'body' | 'replies' | 'handle'> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly replies: R;
    readonly handle: (context: Context<Parsed<P>, Parsed<Q>, BodyOf<B>>) => Promise<A>;
  },
): Route {
  return route as unknown as Route;
}

/** Body of an `application/problem+json` answer (RFC 9457); holds nothing of the request but what the message says. */
export function problemOf(error: AppError, title: string, requestId: string) {
  return {
    type: `urn:uncol:problem:${error.code}`,
    title,
    status: error.status,
    code: error.code,
    detail: error.message,
    hint: error.hint,
    seen: error.detail,
    requestId,
  };
}
