import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

/** What happens to one answer of the PACS behind the relay. */
export type Fault =
  /** The connection is reset after so many bytes of the body. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** After so many bytes nothing more comes, the connection stays open. */
  | { readonly kind: 'silence'; readonly afterBytes: number }
  /** Chunks of `chunkBytes` with a pause before each. */
  | { readonly kind: 'slow'; readonly chunkBytes: number; readonly pauseMs: number }
  /** A fixed answer in place of the PACS's own. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly contentType?: string;
      readonly body?: string | Uint8Array;
      readonly location?: string;
      readonly retryAfter?: string;
    }
  /** The query parameters that are taken out of, or put into, the request. */
  | { readonly kind: 'query'; readonly change: (query: URLSearchParams) => void }
  /** An answer of 200 is read whole and changed; the PACS may have been asked for another media type. */
  | {
      readonly kind: 'body';
      readonly accept?: string;
      readonly change: (
        body: Buffer,
        contentType: string,
      ) => { readonly body: Uint8Array; readonly contentType: string };
    };

/** Decides by method, path and running number of the request (from 0) whether a fault happens. */
export type FaultPlan = (
  method: string,
  path: string,
  number: number,
  headers: IncomingMessage['headers'],
) => Fault | undefined;

export interface FaultProxy {
  /** DICOMweb root of the relay. */
  readonly url: string;
  /** `METHOD path` of every request so far. */
  readonly requests: readonly string[];
  setPlan(plan: FaultPlan | undefined): void;
  close(): Promise<void>;
}

/** A relay on loopback in front of a DICOMweb root; it adds nothing but the planned faults. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const requests: string[] = [];
  let plan: FaultPlan | undefined;
  const base = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/';
    const fault = plan?.(incoming.method ?? 'GET', path, requests.length, incoming.headers);
    requests.push(`${incoming.method} ${path}`);
    if (fault?.kind === 'answer') sendFixed(outgoing, fault);
    else relay(incoming, outgoing, base, fault);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${base.pathname.replace(/\/$/, '')}`,
    requests,
    setPlan(next) {
      plan = next;
      requests.length = 0;
    },
    close: () => closeServer(server),
  };
}

function sendFixed(outgoing: ServerResponse, fault: Extract<Fault, { kind: 'answer' }>): void {
  outgoing.writeHead(fault.status, {
    ...(fault.contentType ? { 'content-type': fault.contentType } : {}),
    ...(fault.location ? { location: fault.location } : {}),
    ...(fault.retryAfter ? { 'retry-after': fault.retryAfter } : {}),
  });
  outgoing.end(fault.body);
}

function relay(incoming: IncomingMessage, outgoing: ServerResponse, base: URL, fault: Fault | undefined): void {
  const url = new URL(incoming.url ?? '/', base.origin);
  if (fault?.kind === 'query') fault.change(url.searchParams);
  const accept = fault?.kind === 'body' && fault.accept ? { accept: fault.accept } : {};
  const upstream = request(
    url,
    { method: incoming.method, headers: { ...incoming.headers, ...accept, host: base.host } },
    (answer) => {
      if (fault?.kind === 'body' && answer.statusCode === 200) {
        sendChanged(answer, outgoing, fault).catch(() => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pass(answer, outgoing, fault).catch(() => outgoing.destroy());
    },
  );
  upstream.on('error', () => outgoing.destroy());
  outgoing.on('close', () => upstream.destroy());
  incoming.pipe(upstream);
}

async function sendChanged(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  fault: Extract<Fault, { kind: 'body' }>,
): Promise<void> {
  const { body, contentType } = fault.change(await buffer(answer), answer.headers['content-type'] ?? '');
  outgoing.writeHead(200, { 'content-type': contentType }).end(body);
}

async function pass(answer: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): Promise<void> {
  let sent = 0;
  const write = async (chunk: Uint8Array): Promise<void> => {
    sent += chunk.length;
    if (!outgoing.write(chunk)) await new Promise((resolve) => outgoing.once('drain', resolve));
  };
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    if (fault?.kind === 'slow') {
      for (let at = 0; at < chunk.length; at += fault.chunkBytes) {
        await pause(fault.pauseMs);
        await write(chunk.subarray(at, at + fault.chunkBytes));
      }
    } else if (fault?.kind === 'reset' || fault?.kind === 'silence') {
      await write(chunk.subarray(0, fault.afterBytes - sent));
      if (sent < fault.afterBytes) continue;
      // What was written must leave before the reset, which would discard it.
      await pause(50);
      if (fault.kind === 'reset') outgoing.socket?.resetAndDestroy();
      return;
    } else {
      await write(chunk);
    }
  }
  outgoing.end();
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
