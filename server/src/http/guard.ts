import type { RequestHandler } from 'express';
import helmet from 'helmet';
import { isLoopback } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';

/**
 * Without authentication only pages of this very origin may use the server. A name that merely resolves to loopback
 * (DNS rebinding) is refused by its Host.
 * @param host address that the server listens on.
 */
export function requireOwnHost(host: string): RequestHandler {
  return (request, _response, next) => {
    const name = hostname(request.get('host'));
    if (isLoopback(host) && (name === undefined || !isLoopback(name))) {
      throw new AppError('not-allowed', 'Open the viewer under localhost or 127.0.0.1.');
    }
    next();
  };
}

/**
 * Refuses calls that change something when they come from a page of another origin: by `Origin` and `Sec-Fetch-Site`,
 * and by asking for a content type or header that a foreign page cannot send without a preflight, which is never granted.
 */
export const refuseForeignChanges: RequestHandler = (request, _response, next) => {
  if (['GET', 'HEAD'].includes(request.method)) return next();
  const origin = request.get('origin');
  const site = request.get('sec-fetch-site');
  const isForeign = origin !== undefined && hostOf(origin) !== request.get('host');
  const needsNoPreflight =
    request.method === 'POST' &&
    !request.is(['application/json', 'application/octet-stream']) &&
    request.get('x-uncol-request') === undefined;
  if (isForeign || (site !== undefined && site !== 'same-origin' && site !== 'none') || needsNoPreflight) {
    throw new AppError('not-allowed', 'A call that changes something must come from the viewer itself.');
  }
  next();
};

/** Headers of API answers: nothing in them may run or be framed. */
export const apiHeaders: RequestHandler = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  strictTransportSecurity: false,
});

/**
 * Headers of the viewer. OHIF needs inline scripts and styles, blob workers and WebAssembly; the JPEG-LS codec's glue
 * code also needs `unsafe-eval`. Everything else stays on this origin.
 */
export const viewerHeaders: RequestHandler = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'", "'unsafe-inline'", "'unsafe-eval'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'", 'blob:'],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'blob:', 'data:'],
      connectSrc: ["'self'", 'blob:', 'data:'],
      fontSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'self'"],
    },
  },
  crossOriginEmbedderPolicy: false,
  strictTransportSecurity: false,
});

function hostname(host: string | undefined): string | undefined {
  const name = /^(\[[0-9a-f:]+\]|[^:]+)(:\d+)?$/i.exec(host ?? '')?.[1];
  return name?.replace(/^\[|\]$/g, '').toLowerCase();
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
