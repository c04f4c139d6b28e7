import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { type Authenticate, createAuthentication, includesRole } from '../../../server/src/http/auth.ts';

describe('tokens', () => {
  let server: Server;
  let issuer: string;
  let keys: { publicKey: CryptoKey; privateKey: CryptoKey };
  let authenticate: Authenticate;
  let areKeysThere = true;

  before(async () => {
    keys = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' };
    server = createServer((request, response) => {
      if (!areKeysThere && request.url === '/keys') response.statusCode = 500;
      const isDiscovery = request.url === '/.well-known/openid-configuration';
      response.end(JSON.stringify(isDiscovery ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [jwk] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    authenticate = createAuthentication(issuer, 'uncol');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const token = (claims: Record<string, unknown> = {}, change: (jwt: SignJWT) => SignJWT = (jwt) => jwt) => {
    const jwt = new SignJWT({ roles: ['annotator'], ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setSubject('reader-1')
      .setIssuer(issuer)
      .setAudience('uncol')
      .setExpirationTime('1m');
    return change(jwt).sign(keys.privateKey);
  };
  const bearer = async (made: Promise<string>) => `Bearer ${await made}`;

  it('a good one gives its subject and its highest role, also in the claim of Keycloak', async () => {
    assert.deepEqual(await authenticate(await bearer(token())), { subject: 'reader-1', role: 'annotator' });
    const nested = token({ roles: undefined, realm_access: { roles: ['offline', 'reader', 'trainer'] } });
    assert.equal((await authenticate(await bearer(nested))).role, 'trainer');
  });

  it('one that bears a name of the server itself is refused', async () => {
    for (const name of ['server', 'local']) {
      const made = token({}, (jwt) => jwt.setSubject(name));
      await assert.rejects(authenticate(await bearer(made)), { code: 'not-allowed' });
    }
  });

  it('a missing, foreign, expired or unsigned one is refused', async () => {
    const none = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub: 'x', roles: ['admin'] }))}.x`.replaceAll(
      '=',
      '',
    );
    const refused = [
      undefined,
      'Basic abc',
      await bearer(token({}, (jwt) => jwt.setAudience('other'))),
      await bearer(token({}, (jwt) => jwt.setIssuer('https://elsewhere.example'))),
      await bearer(token({}, (jwt) => jwt.setExpirationTime('-1m'))),
      `Bearer ${none}`,
      `Bearer ${await confused()}`,
    ];
    for (const header of refused) await assert.rejects(authenticate(header), { code: 'not-authenticated' });
  });

  it('one whose claims are of another shape is refused, not taken for a fault of the server', async () => {
    for (const claims of [{ roles: 'admin' }, { realm_access: [] }, { roles: [1] }])
      await assert.rejects(authenticate(await bearer(token(claims))), { code: 'not-authenticated' });
  });

  it('an issuer that cannot be asked is told as such, before and after its discovery', async () => {
    const good = await bearer(token());
    await assert.rejects(createAuthentication('http://127.0.0.1:9', 'uncol')(good), { code: 'issuer-unreachable' });
    areKeysThere = false;
    const withoutKeys = createAuthentication(issuer, 'uncol');
    await assert.rejects(withoutKeys(good), { code: 'issuer-unreachable' });
    areKeysThere = true;
    assert.equal((await withoutKeys(good)).subject, 'reader-1');
  });

  it('one without a known role is refused as such', async () => {
    await assert.rejects(authenticate(await bearer(token({ roles: ['visitor'] }))), { code: 'not-allowed' });
  });

  it('a role includes those before it and no later one', () => {
    assert.ok(includesRole('admin', 'reader') && includesRole('trainer', 'annotator'));
    assert.ok(!includesRole('annotator', 'trainer') && !includesRole('reader', 'annotator'));
  });

  /** Signed with the public key as if it were a shared secret. */
  async function confused(): Promise<string> {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: 'x', iss: issuer, aud: 'uncol', exp: Math.floor(Date.now() / 1000) + 60, roles: ['admin'] };
    const text = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(claims)}`;
    const mac = createHmac('sha256', await exportSPKI(keys.publicKey))
      .update(text)
      .digest('base64url');
    return `${text}.${mac}`;
  }
});
