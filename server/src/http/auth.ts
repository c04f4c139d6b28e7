import { createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';

/** Each role may do all that the ones before it may. */
export const roles = ['reader', 'annotator', 'trainer', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Who makes a request. */
export interface Caller {
  /** Subject of the token; `local` without authentication. */
  readonly subject: string;
  readonly role: Role;
}

/** Tells who sent a request from its `Authorization` header; throws `not-authenticated`, `not-allowed`, `issuer-unreachable`. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** Whether `role` includes `least`. */
export function includesRole(role: Role, least: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(least);
}

/** Names under which this server itself acts: what it does must not be mistaken for what somebody did. */
const reserved: ReadonlySet<string> = new Set(['server', 'local']);

/** The only caller there is when the server listens on loopback without an issuer. */
export const localCaller: Caller = { subject: 'local', role: 'admin' };

/** Only asymmetric signatures: a token signed with a public key as if it were a secret must not pass. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });
const claims = z.object({
  sub: z.string().min(1).max(255),
  roles: z.array(z.string()).optional(),
  realm_access: z.object({ roles: z.array(z.string()) }).optional(),
});

/**
 * Checks bearer tokens against an OpenID Connect issuer: signature, issuer, audience, expiry (20 s tolerance). The role
 * is the highest known one in the claim `roles` or `realm_access.roles`; a token without any is refused.
 */
export function createAuthentication(issuer: string, audience: string): Authenticate {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const readKeys = async () => {
    keys ??= discoverKeys(issuer);
    try {
      return await keys;
    } catch (error) {
      keys = undefined;
      throw error;
    }
  };
  return async (authorization) => {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization ?? '')?.[1];
    if (!token) throw new AppError('not-authenticated', 'The request carries no bearer token.');
    const keySet = await readKeys();
    const verified = await jwtVerify(token, keySet, {
      issuer,
      audience,
      algorithms,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: 20,
    }).catch((cause: Error & { code?: string }) => {
      if (cause instanceof AppError) throw cause;
      throw new AppError('not-authenticated', `The token is not accepted (${cause.code ?? 'invalid'}).`, {}, { cause });
    });
    const parsed = claims.safeParse(verified.payload);
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => issue.path[0] ?? 'token').slice(0, 5);
      throw new AppError('not-authenticated', `The claims of the token are not valid at ${where.join(', ')}.`);
    }
    const { sub, roles: direct, realm_access } = parsed.data;
    if (reserved.has(sub)) throw new AppError('not-allowed', `The subject ${sub} is a name of this server.`);
    const held = new Set([...(direct ?? []), ...(realm_access?.roles ?? [])]);
    const role = roles.findLast((candidate) => held.has(candidate));
    if (!role) throw new AppError('not-allowed', `The token carries none of the roles ${roles.join(', ')}.`);
    return { subject: sub, role };
  };
}

/** What jose says of a token that names none of the issuer's keys; every other fault is the issuer's. */
const keyNotFound: ReadonlySet<unknown> = new Set([
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
  'ERR_JOSE_NOT_SUPPORTED',
]);

async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(10_000), redirect: 'error' });
    const found = discovery.parse(await response.json());
    if (found.issuer !== issuer) throw new TypeError('the issuer names itself differently');
    const remote = createRemoteJWKSet(new URL(found.jwks_uri), { cooldownDuration: 30_000, timeoutDuration: 10_000 });
    return (header, token) =>
      remote(header, token).catch((cause: Error & { code?: string }) => {
        throw keyNotFound.has(cause.code) ? cause : unreachable(issuer, cause);
      });
  } catch (cause) {
    throw unreachable(issuer, cause);
  }
}

function unreachable(issuer: string, cause: unknown): AppError {
  return new AppError('issuer-unreachable', `The OIDC issuer ${issuer} cannot be asked for its keys.`, {}, { cause });
}
