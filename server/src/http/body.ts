import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import express, { type Request, type RequestHandler } from 'express';
import { AppError } from '../errors/app-error.ts';
import { pieceOf } from '../labelmap/envelope.ts';
import { isBinary, type Route } from './route.ts';

const jsonLimit = '64kb';
const binaryLimitBytes = 64 << 20;

/** Reads the body of a request as its route has it. */
export function readBody({ body }: Pick<Route, 'body'>): RequestHandler {
  if (!body) return (_request, _response, next) => next();
  const mediaType = isBinary(body) ? body.mediaType : 'application/json';
  const parse = isBinary(body)
    ? parseBinary(mediaType, body.limitBytes ?? binaryLimitBytes)
    : express.json({ type: mediaType, limit: jsonLimit, strict: true });
  return (request, response, next) => {
    if (!request.is(mediaType)) throw new AppError('request-invalid', `The body must be ${mediaType}.`);
    parse(request, response, next);
  };
}

/** @param limit bytes, before as well as after inflation. */
function parseBinary(mediaType: string, limit: number): RequestHandler {
  const parse = express.raw({ type: mediaType, limit, inflate: true });
  return (request, response, next) => {
    const isGzip = request.get('content-encoding')?.toLowerCase() === 'gzip';
    // Inflated afterwards by large pieces: while it arrives it goes by 16 kB, and takes a mask four times as long.
    if (isGzip) delete request.headers['content-encoding'];
    parse(request, response, (fault?: unknown) => {
      if (fault !== undefined || !isGzip) next(fault);
      else
        inflate(request, limit).then(
          () => next(),
          (cause: NodeJS.ErrnoException) => next(refusal(cause)),
        );
    });
  };
}

async function inflate(request: Request, limit: number): Promise<void> {
  const chunkSize = Math.min(limit, pieceOf(request.body));
  request.body = await promisify(gunzip)(request.body, { chunkSize, maxOutputLength: limit });
}

function refusal(cause: NodeJS.ErrnoException): AppError {
  if (cause.code === 'ERR_BUFFER_TOO_LARGE')
    return new AppError('request-too-large', 'The body is larger than allowed.', {}, { cause });
  return new AppError('request-invalid', 'The body is not what gzip writes.', {}, { cause });
}
