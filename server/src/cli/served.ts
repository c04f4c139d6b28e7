import { readFile } from 'node:fs/promises';
import type { Settings } from '../config/schema.ts';
import { AppError, type ErrorDetail, fromErrorRecord } from '../errors/app-error.ts';
import { type ErrorCode, errorTable } from '../errors/table.ts';

/** Address of a server on these settings, without a slash at its end. */
export function servedUrl({ host, port }: Settings): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The API of a running server, as somebody at the command line. */
export interface ServerClient {
  /** @throws AppError that which the server answers with; `server-unreachable` */
  get(path: string): Promise<unknown>;
  /** @throws AppError as above. */
  post(
    path: string,
    body: object,
    idempotencyKey: string,
  ): Promise<{ readonly status: number; readonly body: unknown }>;
}

/** @param tokenFile holds a bearer token; whose it is, the server knows as the author of what is done. */
export async function createServerClient(
  url: string,
  tokenFile: string | undefined,
  signal: AbortSignal,
): Promise<ServerClient> {
  const authorization = tokenFile === undefined ? {} : { authorization: `Bearer ${await readToken(tokenFile)}` };
  const call = async (path: string, request: RequestInit) => {
    const headers = { ...authorization, ...request.headers };
    const response = await fetch(`${url}${path}`, { ...request, headers, signal, redirect: 'error' }).catch((cause) => {
      if (signal.aborted) throw signal.reason;
      throw new AppError('server-unreachable', `No server answers at ${url}.`, {}, { cause });
    });
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw errorOf(response.status, body);
    return { status: response.status, body };
  };
  return {
    get: async (path) => (await call(path, {})).body,
    post: (path, body, idempotencyKey) =>
      call(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        body: JSON.stringify(body),
      }),
  };
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('request-invalid', 'The file of --token-file cannot be read.', {}, { cause });
  });
  return text.trim();
}

/** The fault that a problem document (RFC 9457) tells of. */
function errorOf(status: number, body: unknown): AppError {
  const { code, detail, seen } = (body ?? {}) as { code?: string; detail?: string; seen?: ErrorDetail };
  if (code !== undefined && Object.hasOwn(errorTable, code)) {
    return fromErrorRecord({ code: code as ErrorCode, message: detail ?? '', detail: seen ?? {} });
  }
  return new AppError('server-unreachable', `What answers is no server of this kind (status ${status}).`, { status });
}
