import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, RequestHandler } from 'express';
import { AppError } from '../errors/app-error.ts';
import type { PacsAccess } from '../setup/pacs-access.ts';
import { createConnection } from '../study/connection.ts';
import type { TrafficMeter } from '../telemetry/traffic.ts';

/** The PACS that the viewer reads from, with the server's own rights. */
export interface ProxiedPacs extends PacsAccess {
  /** DICOMweb root without a slash at its end. */
  readonly url: string;
  /** Our own Orthanc: it builds the addresses in its answers from the Host that the browser asked. */
  readonly own: boolean;
}

/** Longest silence of the PACS that a viewer waits through. */
const idleSeconds = 120;
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
  const connection = createConnection({ ...pacs, idleSeconds, meter });
  return async (request, response) => {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      throw new AppError('not-allowed', `The viewer may read from the PACS; ${method} is not passed on.`);
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort(new AppError('pacs-unreachable', 'The viewer has gone away.')));
    const url = targetOf(pacs.url, request).href;
    const headers = { ...pick(request.headers, forwardedToPacs), ...hostOf(pacs, request) };
    // A refusal of the server's credentials does not come back as one: the browser would ask the reader for the password.
    const answer = await connection.send({ method, url, headers, signal: gone.signal });
    response.status(answer.status).set(pick(Object.fromEntries(answer.headers), forwardedToViewer));
    response.set('cache-control', 'private, no-cache');
    // A cut transfer shows in the viewer as a failed request; the reply has begun, so there is no problem to send.
    await pipeline(Readable.from(answer.body, { objectMode: false }), response).catch(() => response.destroy());
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

function pick(headers: NodeJS.Dict<string | string[]>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, `${headers[name]}`]])));
}
