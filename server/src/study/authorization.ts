import { type ConnectionOptions, rootCertificates } from 'node:tls';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import type { PacsAccess, PacsCredentials } from '../setup/pacs-access.ts';

/** A token is renewed this long before it ends. */
const marginMs = 30_000;
/** Of a token that does not say how long it is good. */
const usualSeconds = 300;
const timeoutMs = 15_000;

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive().optional() });

/** What a connection to a PACS trusts and shows, as `tls.connect` takes it. */
export function certificatesOf({ tls }: PacsAccess): Pick<ConnectionOptions, 'ca' | 'cert' | 'key'> {
  return {
    ...(tls?.ca === undefined ? {} : { ca: [...rootCertificates, tls.ca] }),
    ...(tls?.certificate === undefined ? {} : { cert: tls.certificate, key: tls.key }),
  };
}

/** The connections to a PACS, by its certificates. */
export function createPacsAgent(access: PacsAccess, options: Agent.Options = {}): Agent {
  return new Agent({ ...options, connect: { ...options.connect, ...certificatesOf(access) } });
}

/** The `Authorization` header of every request to a PACS. */
export interface Authorization {
  /** @throws AppError `pacs-refused`, `pacs-unreachable`: no token is given. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Forgets a token that the PACS no longer takes. @returns whether another one can be had. */
  renew(): boolean;
}

/** @param agent by which tokens are asked for. */
export function createAuthorization(credentials: PacsCredentials | undefined, agent: Agent): Authorization {
  if (!credentials) return { headers: async () => ({}), renew: () => false };
  if ('tokenUrl' in credentials) return renewed(credentials, agent);
  const header = 'token' in credentials ? bearer(credentials.token) : basic(credentials.username, credentials.password);
  return { headers: async () => header, renew: () => false };
}

type ClientCredentials = Extract<PacsCredentials, { readonly tokenUrl: string }>;

function renewed(credentials: ClientCredentials, agent: Agent): Authorization {
  let current: { readonly header: Promise<Readonly<Record<string, string>>>; endsAt: number } | undefined;
  return {
    headers() {
      if (current && Date.now() < current.endsAt) return current.header;
      // One request for all that wait; how long the answer is good it says itself.
      const asked = { header: Promise.resolve({}), endsAt: Number.POSITIVE_INFINITY };
      asked.header = askToken(credentials, agent).then(
        ({ token, seconds }) => {
          asked.endsAt = Date.now() + Math.max(0, 1000 * seconds - marginMs);
          return bearer(token);
        },
        (error: unknown) => {
          if (current === asked) current = undefined;
          throw error;
        },
      );
      current = asked;
      return asked.header;
    },
    renew() {
      current = undefined;
      return true;
    },
  };
}

async function askToken(
  { tokenUrl, clientId, clientSecret, scope }: ClientCredentials,
  agent: Agent,
): Promise<{ readonly token: string; readonly seconds: number }> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) });
  const answer = await request(tokenUrl, {
    method: 'POST',
    headers: {
      ...basic(encodeURIComponent(clientId), encodeURIComponent(clientSecret)),
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: form.toString(),
    dispatcher: agent,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  }).catch((cause: unknown) => {
    throw new AppError('pacs-unreachable', 'The token server of the PACS cannot be reached.', {}, { cause });
  });
  const { statusCode: status } = answer;
  const parsed = tokenSchema.safeParse(await answer.body.json().catch(() => undefined));
  if (status === 200 && parsed.success)
    return { token: parsed.data.access_token, seconds: parsed.data.expires_in ?? usualSeconds };
  if (status >= 500) throw new AppError('pacs-unreachable', `The token server answered ${status}.`, { status });
  throw new AppError('pacs-refused', `The token server gave no token (${status}).`, { status });
}

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

function basic(username: string, password: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}
