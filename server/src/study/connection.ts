import { Agent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '../errors/app-error.ts';
import type { PacsAccess } from '../setup/pacs-access.ts';
import type { TrafficMeter } from '../telemetry/traffic.ts';
import { askedWaitMs } from './answer-error.ts';
import { certificatesOf, createAuthorization, createPacsAgent } from './authorization.ts';

/** An answer whose body has not been read yet. */
export interface PacsAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Ends with `pacs-unreachable` when the connection breaks or is silent beyond the idle limit. Read it or `return()` it. */
  readonly body: AsyncGenerator<Uint8Array>;
}

export interface PacsRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Absolute, of the origin of the PACS. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to one PACS, with credentials and an idle limit in place of a limit on the whole transfer. */
export interface Connection {
  /** Without a trailing slash. */
  readonly url: string;
  /** @throws AppError `pacs-unreachable`, `pacs-refused` (401, 403), `pacs-answer-invalid` (leads to another origin) */
  send(request: PacsRequest): Promise<PacsAnswer>;
  close(): Promise<void>;
}

const maxRedirects = 3;
const uploadChunkBytes = 64 * 1024;

/** A connection to a DICOMweb root. `idleSeconds` bounds every wait for a byte, in either direction. */
export function createConnection(
  options: PacsAccess & {
    readonly url: string;
    readonly idleSeconds: number;
    readonly requestsPerSecond?: number | undefined;
    readonly meter?: TrafficMeter | undefined;
  },
): Connection {
  const url = options.url.replace(/\/+$/, '');
  const { origin } = new URL(url);
  const idleMs = options.idleSeconds * 1000;
  const tokenAgent = createPacsAgent(options, { connect: { timeout: idleMs } });
  const authorization = createAuthorization(options.credentials, tokenAgent);
  // Node's own client: undici 7 ends the process when an answer is read slowly and the PACS closes the connection behind it
  // (nodejs/undici 5360), and large answers are read as slowly as they are decoded.
  const open = (keepAlive: boolean): Agent =>
    url.startsWith('https:') ? new SecureAgent({ keepAlive, ...certificatesOf(options) }) : new Agent({ keepAlive });
  // A kept connection may be closed at the other end; what was posted on it could not safely be sent again.
  const agents = { kept: open(true), once: open(false) };
  const turn = createPace(options.requestsPerSecond);
  return {
    url,
    async close() {
      for (const agent of Object.values(agents)) agent.destroy();
      await tokenAgent.close();
    },
    async send(wanted) {
      let target = wanted.url;
      let isRenewed = false;
      for (let hops = 0; hops <= maxRedirects; hops++) {
        if (new URL(target).origin !== origin) throw leadsAway(target);
        const headers = { ...wanted.headers, ...(await authorization.headers()) };
        await turn(wanted.signal);
        const sentBytes = wanted.body?.length ?? 0;
        options.meter?.add({ requests: 1, sentBytes });
        const answer = await exchange(
          wanted.method === 'POST' ? agents.once : agents.kept,
          { ...wanted, url: target, headers },
          idleMs,
          options.meter,
        );
        if (answer.status === 401 && !isRenewed && authorization.renew()) {
          // A token may be taken back before its time.
          isRenewed = true;
          await answer.body.return(undefined);
          continue;
        }
        const location = answer.headers.get('location');
        if (answer.status < 300 || answer.status > 399 || location === undefined) return checkAccess(answer);
        await answer.body.return(undefined);
        if (wanted.method === 'POST') throw new AppError('pacs-answer-invalid', 'The PACS redirects a POST.', {});
        target = new URL(location, target).href;
      }
      throw new AppError('pacs-answer-invalid', `The PACS redirects more than ${maxRedirects} times.`, {});
    },
  };
}

/** Lets its callers go on one by one, `perSecond` of them in a second. */
function createPace(perSecond: number | undefined): (signal?: AbortSignal) => Promise<void> {
  if (perSecond === undefined) return async () => undefined;
  let next = 0;
  return async (signal) => {
    const now = performance.now();
    const mine = Math.max(now, next);
    next = mine + 1000 / perSecond;
    if (mine > now) await pause(mine - now, undefined, signal ? { signal } : {});
  };
}

/** Waits before a renewed try: 0.2 s, doubled each time, at most 5 s. */
export async function backOff(failures: number, error: AppError, signal?: AbortSignal): Promise<void> {
  const ms = Math.max(Math.min(5000, 200 * 2 ** (failures - 1)), askedWaitMs(error));
  await pause(ms, undefined, signal ? { signal } : {});
}

async function checkAccess(answer: PacsAnswer): Promise<PacsAnswer> {
  if (answer.status !== 401 && answer.status !== 403) return answer;
  await answer.body.return(undefined);
  throw new AppError('pacs-refused', `The PACS answered ${answer.status}.`, { status: answer.status });
}

/** Credentials never leave the origin that they are for. */
function leadsAway(target: string): AppError {
  const { host } = new URL(target);
  return new AppError('pacs-answer-invalid', 'The PACS leads to another origin, which is not followed.', { host });
}

async function exchange(
  agent: Agent,
  wanted: PacsRequest,
  idleMs: number,
  meter: TrafficMeter | undefined,
): Promise<PacsAnswer> {
  wanted.signal?.throwIfAborted();
  const idle = new IdleLimit(idleMs);
  const signal = wanted.signal ? AbortSignal.any([wanted.signal, idle.signal]) : idle.signal;
  try {
    idle.start();
    const headersSent = { ...wanted.headers, ...(wanted.body ? { 'content-length': `${wanted.body.length}` } : {}) };
    const options = { method: wanted.method, headers: headersSent, agent, signal };
    const answer = await ask(wanted.url, options, () =>
      Readable.from(wanted.body ? upload(wanted.body, idle) : [], { objectMode: false }),
    );
    idle.stop();
    const headers = new Map(
      Object.entries(answer.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : `${value}`,
      ]),
    );
    const body = watch(answer, idle, wanted.signal, meter);
    // A generator that was never asked for a chunk does not run its `finally`.
    const end = body.return.bind(body);
    body.return = (value) => {
      answer.destroy();
      return end(value);
    };
    return { status: answer.statusCode ?? 0, headers, body };
  } catch (cause) {
    idle.stop();
    throw toPacsError(cause, idle, wanted.signal);
  }
}

/** Sends a request, and once more when the PACS had just closed the connection that was kept. */
async function ask(url: string, options: RequestOptions, body: () => Readable): Promise<IncomingMessage> {
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  for (;;) {
    const sent = send(url, options);
    try {
      return await new Promise((resolve, reject) => {
        // It stays: a connection that breaks while the answer is read is told by the answer.
        sent.on('response', resolve).on('error', reject);
        body().on('error', reject).pipe(sent);
      });
    } catch (error) {
      if (!sent.reusedSocket || (error as { readonly code?: unknown }).code !== 'ECONNRESET') throw error;
    }
  }
}

/** Each chunk that the connection takes is a sign of life. */
async function* upload(bytes: Uint8Array, idle: IdleLimit): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += uploadChunkBytes) {
    idle.start();
    yield bytes.subarray(at, at + uploadChunkBytes);
  }
  idle.start();
}

/** The clock runs only while a chunk is awaited: a slow reader on this side is not the silence of the PACS. */
async function* watch(
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  idle: IdleLimit,
  signal: AbortSignal | undefined,
  meter: TrafficMeter | undefined,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      idle.start();
      const { done, value } = await chunks.next();
      idle.stop();
      if (done) return;
      meter?.add({ receivedBytes: value.length });
      yield value;
    }
  } catch (cause) {
    throw toPacsError(cause, idle, signal);
  } finally {
    idle.stop();
    body.destroy();
  }
}

function toPacsError(cause: unknown, idle: IdleLimit, signal: AbortSignal | undefined): unknown {
  if (cause instanceof AppError) return cause;
  if (signal?.aborted) return signal.reason;
  if (idle.signal.aborted) {
    return new AppError('pacs-unreachable', `No byte from the PACS for ${idle.limitMs / 1000} s.`, {}, { cause });
  }
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  const reason = typeof code === 'string' ? code : 'connection lost';
  return new AppError('pacs-unreachable', `The PACS cannot be reached (${reason}).`, { reason }, { cause });
}

/** Aborts its signal when `start` is not followed by `start` or `stop` in time. */
class IdleLimit {
  readonly limitMs: number;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
