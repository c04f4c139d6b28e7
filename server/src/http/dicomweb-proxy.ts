import { pipeline } from 'node:stream/promises';
import type { Request, RequestHandler } from 'express';
import { request as send } from 'undici';
import { AppError } from '../errors/app-error.ts';
import type { PacsAccess } from '../setup/pacs-access.ts';
import { createAuthorization, createPacsAgent } from '../study/authorization.ts';
import type { TrafficMeter } from '../telemetry/traffic.ts';

/** The PACS that the viewer reads from, with the server's own rights. */
export interface ProxiedPacs extends PacsAccess {
  /** DICOMweb root without a slash at its end. */
  readonly url: string;
  /** Our own Orthanc: it builds the addresses in its answers from the Host that the browser asked. */
  readonly own: boolean;
}

const forwardedToPacs = ['accept', 'accept-language', 'range', 'if-none-match', 'if-modified-since', 'if-range'];
const forwardedToViewer = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'warning',
];

/** Streams reads (GET, HEAD) of the viewer to the PACS; nothing else passes, so the viewer cannot store. */
export function proxyDicomweb(pacs: ProxiedPacs, meter?: TrafficMeter): RequestHandler {
  const agent = createPacsAgent(pacs);
  const authorization = createAuthorization(pacs.credentials, agent);
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new AppError('not-allowed', `The viewer may read from the PACS; ${request.method} is not passed on.`);
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const target = targetOf(pacs.url, request);
    const { method } = request;
    const ask = async () => {
      const own = { ...pick(request.headers, forwardedToPacs), ...hostOf(pacs, request) };
      const headers = { ...own, ...(await authorization.headers()) };
      meter?.add({ requests: 1 });
      const limits = { signal: gone.signal, headersTimeout: 120_000, bodyTimeout: 60_000 };
      return send(target, { method, headers, dispatcher: agent, ...limits }).catch((cause: unknown) => {
        throw new AppError('pacs-unreachable', 'The PACS does not answer.', {}, { cause });
      });
    };
    let answer = await ask();
    if (answer.statusCode === 401 && authorization.renew()) {
      await answer.body.dump();
      answer = await ask();
    }
    if (answer.statusCode === 401 || answer.statusCode === 403) {
      await answer.body.dump();
      // Passed on as it is, the browser would ask the reader for the server's password.
      throw new AppError('pacs-refused', `The PACS refused the server (${answer.statusCode}).`);
    }
    response.status(answer.statusCode).set(pick(answer.headers, forwardedToViewer));
    response.set('cache-control', 'private, no-cache');
    // A cut transfer shows in the viewer as a failed request; the reply has begun, so there is no problem to send.
    answer.body.on('data', (chunk: Uint8Array) => meter?.add({ receivedBytes: chunk.length }));
    await pipeline(answer.body, response).catch(() => response.destroy());
  };
}

function hostOf(pacs: ProxiedPacs, request: Request): Record<string, string> {
  const host = request.get('host') ?? '';
  if (!/^[\w.:[\]-]+$/.test(host)) return {};
  return pacs.own ? { host } : { forwarded: `host="${host}";proto=${request.protocol}` };
}

/** The address below the DICOMweb root; a path that would leave the root is refused, also an encoded one. */
function targetOf(root: string, request: Request): URL {
  const path = request.url.split('?')[0] ?? '';
  if (/(^|\/)\.{1,2}(\/|$)|\\|\/\//.test(decode(path))) {
    throw new AppError('request-invalid', 'The DICOMweb path is not valid.');
  }
  const target = new URL(root + request.url);
  // A root may be that of the host: then it has no path of its own.
  if (!target.pathname.startsWith(`${new URL(root).pathname.replace(/\/$/, '')}/`)) {
    throw new AppError('request-invalid', 'The DICOMweb path is not valid.');
  }
  return target;
}

/** Twice, because what we decode once the PACS may decode again. */
function decode(path: string): string {
  try {
    return decodeURIComponent(decodeURIComponent(path));
  } catch {
    return '..';
  }
}

function pick(headers: NodeJS.Dict<string | string[]>, names: readonly string[]): Record<string, string | string[]> {
  const found = names.map((name) => [name, headers[name]] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(found) as Record<string, string | string[]>;
}
