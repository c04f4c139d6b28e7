import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import express from 'express';
import { proxyDicomweb } from '../../../server/src/http/dicomweb-proxy.ts';
import { type PacsAccess, readPacsAccess } from '../../../server/src/setup/pacs-access.ts';
import { createPacs } from '../../../server/src/study/dicomweb.ts';

const fixture = (name: string) => new URL(`../../fixtures/tls/${name}.pem`, import.meta.url);
const pathOf = (name: string) => fixture(name).pathname;

/** A token server that counts, and a PACS that takes its newest token and asks for a certificate. */
let issued = 0;
let seconds: number | undefined = 3600;
/** Tokens that the PACS takes. */
const taken = new Set<string>();
let asked: { readonly authorization: string; readonly form: string }[] = [];

const tokens = createPlainServer(async (request, response): Promise<void> => {
  let form = '';
  for await (const chunk of request) form += chunk;
  const authorization = request.headers.authorization ?? '';
  asked.push({ authorization, form });
  const isKnown = authorization === `Basic ${Buffer.from('site%3A1:s%20cret').toString('base64')}`;
  if (!isKnown) {
    response.writeHead(401).end(JSON.stringify({ error: 'invalid_client' }));
    return;
  }
  issued += 1;
  taken.add(`token-${issued}`);
  response.end(JSON.stringify({ access_token: `token-${issued}`, token_type: 'Bearer', expires_in: seconds }));
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  if (!taken.has(token)) response.writeHead(401).end();
  else response.setHeader('content-type', 'application/dicom+json').end('[]');
}

let secure: Server;
const plain = createPlainServer(answer);
const open = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
};
const portOf = (server: Server) => (server.address() as AddressInfo).port;

before(async () => {
  const [ca, cert, key] = await Promise.all(['ca', 'server', 'server-key'].map((name) => readFile(fixture(name))));
  const options = { ca, cert, key, requestCert: true, rejectUnauthorized: true };
  secure = createTlsServer(options as object, (_request, response) => response.end('[]'));
  await Promise.all([secure, tokens, plain].map(open));
});
after(() => [secure, tokens, plain].map((server) => server.close()));
beforeEach(() => {
  issued = 0;
  seconds = 3600;
  taken.clear();
  asked = [];
});

const settings = { pacsCaFile: undefined, pacsCertificateFile: undefined, pacsKeyFile: undefined };

async function search(url: string, access: PacsAccess, times = 1): Promise<void> {
  const pacs = createPacs({ url, ...access, idleSeconds: 5, retries: 0 });
  try {
    for (let n = 0; n < times; n++) await pacs.echo();
  } finally {
    await pacs.close();
  }
}

test('a PACS of an own authority is trusted with its certificate, and shown ours', async () => {
  const url = `https://127.0.0.1:${portOf(secure)}`;
  const read = (names: object) => readPacsAccess({ ...settings, pacsCredentialsFile: undefined, ...names });
  await assert.rejects(search(url, {}), { code: 'pacs-unreachable' });
  const trusting = await read({ pacsCaFile: pathOf('ca') });
  await assert.rejects(search(url, trusting), { code: 'pacs-unreachable' });
  const shown = { pacsCertificateFile: pathOf('client'), pacsKeyFile: pathOf('client-key') };
  await search(url, await read({ pacsCaFile: pathOf('ca'), ...shown }));
  await assert.rejects(search(url, await read(shown)), { code: 'pacs-unreachable' });
  await assert.rejects(read({ pacsCertificateFile: pathOf('client') }), { code: 'config-invalid', message: /its key/ });
  await assert.rejects(read({ pacsCaFile: '/no/such/file' }), { code: 'config-invalid', message: /no\/such/ });
});

const credentials = () => ({
  tokenUrl: `http://127.0.0.1:${portOf(tokens)}/token`,
  clientId: 'site:1',
  clientSecret: 's cret',
  scope: 'dicom.read dicom.write',
});
const pacsUrl = () => `http://127.0.0.1:${portOf(plain)}`;

test('a token is asked for once, and anew when it ends', async () => {
  await search(pacsUrl(), { credentials: credentials() }, 3);
  assert.equal(asked.length, 1);
  assert.equal(asked[0]?.form, 'grant_type=client_credentials&scope=dicom.read+dicom.write');
  // It ends sooner than the margin in which it is renewed.
  seconds = 20;
  await search(pacsUrl(), { credentials: credentials() }, 2);
  assert.equal(asked.length, 3);
});

test('a token that was taken back is renewed once, by the server and by the viewer behind it', async () => {
  const app = express().use(proxyDicomweb({ url: pacsUrl(), own: false, credentials: credentials() }));
  const proxy = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  const pacs = createPacs({ url: pacsUrl(), credentials: credentials(), idleSeconds: 5, retries: 0 });
  try {
    const read = async () => (await fetch(`http://127.0.0.1:${portOf(proxy)}/studies`)).status;
    await pacs.echo();
    assert.equal(await read(), 200);
    taken.clear();
    await pacs.echo();
    assert.equal(await read(), 200);
    assert.equal(asked.length, 4);
  } finally {
    await pacs.close();
    proxy.close();
  }
});

test('a token server that refuses, or is not there, is told without the secret', async () => {
  const wrong = search(pacsUrl(), { credentials: { ...credentials(), clientSecret: 'hunter2' } });
  await assert.rejects(wrong, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'pacs-refused');
    assert.ok(!JSON.stringify(error).includes('hunter2') && !error.message.includes('hunter2'));
    return true;
  });
  const gone = { ...credentials(), tokenUrl: 'http://127.0.0.1:9/token' };
  await assert.rejects(search(pacsUrl(), { credentials: gone }), { code: 'pacs-unreachable' });
});
