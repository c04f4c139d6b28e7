import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const cli = fileURLToPath(new URL('../../server/bin/uncol.mjs', import.meta.url));

/** Status and code of a bare request, with headers that fetch would not let through. */
function ask(url: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<{ status: number; code: string | undefined }>((resolve, reject) => {
    const sent = request(url, options, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.once('end', () => {
        const isProblem = answer.headers['content-type']?.startsWith('application/problem+json');
        const code = isProblem ? (JSON.parse(text) as { code: string }).code : undefined;
        resolve({ status: answer.statusCode ?? 0, code });
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}

describe('safety', () => {
  let server: ServerUnderTest;

  before(async () => {
    server = await startServer();
  });
  after(() => server?.close());

  it('does not start on another address than loopback without an issuer, and makes nothing', async () => {
    const home = await mkdtemp(join(tmpdir(), 'uncol-safety-'));
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      const env = { ...process.env, UNCOL_HOME: home, UNCOL_HOST: host };
      const { status, stderr } = spawnSync(process.execPath, [cli, 'serve'], { env, encoding: 'utf8' });
      assert.equal(status, 1, host);
      assert.match(stderr, /UNCOL_OIDC_ISSUER/);
    }
    assert.deepEqual(await readdir(home), []);
    await rm(home, { recursive: true });
  });

  it('listens on loopback only', async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    // 127.0.0.2 is an address of every Linux machine that a server on 127.0.0.1 does not answer.
    for (const address of ['127.0.0.2', ...others.map((other) => other.address)]) {
      const url = server.url.replace('127.0.0.1', address);
      await assert.rejects(ask(`${url}/livez`), { code: 'ECONNREFUSED' });
    }
  });

  it('refuses pages of elsewhere: by Host, by Origin, by the fetch metadata of the browser', async () => {
    const port = new URL(server.url).port;
    const json = { 'content-type': 'application/json' };
    const foreign: readonly { method?: string; headers: Record<string, string> }[] = [
      { headers: { host: `rebound.example:${port}` } },
      { headers: { host: 'rebound.example' } },
      { method: 'POST', headers: { ...json, origin: 'https://elsewhere.example' } },
      { method: 'POST', headers: { ...json, origin: `http://localhost.elsewhere.example:${port}` } },
      { method: 'POST', headers: { ...json, 'sec-fetch-site': 'cross-site' } },
      { method: 'POST', headers: { ...json, 'sec-fetch-site': 'same-site' } },
      { method: 'DELETE', headers: { origin: 'null' } },
      { method: 'POST', headers: { 'content-type': 'text/plain' } },
    ];
    for (const options of foreign) {
      for (const path of ['/v1/inferences', '/v1/corrections', '/v1/rounds', '/v1/promotions']) {
        const answer = await ask(server.url + path, options);
        assert.deepEqual(answer, { status: 403, code: 'not-allowed' }, `${JSON.stringify(options)} ${path}`);
      }
    }
    const own = { method: 'POST', headers: { ...json, origin: server.url } };
    assert.deepEqual(await ask(`${server.url}/v1/rounds`, own), { status: 422, code: 'request-invalid' });
  });

  it('lets the viewer read from the PACS and not write to it', async () => {
    const found = await ask(`${server.url}/dicom-web/studies`);
    assert.ok([200, 204].includes(found.status), `${found.status}`);
    const headers = { 'content-type': 'application/octet-stream' };
    const stored = await ask(`${server.url}/dicom-web/studies`, { method: 'POST', headers });
    assert.deepEqual(stored, { status: 403, code: 'not-allowed' });
  });

  it('keeps the password of the PACS to itself', async () => {
    const { password } = server.orthanc.credentials;
    for (const path of ['/readyz', '/metrics', '/openapi.json', '/v1/models']) {
      assert.ok(!(await (await fetch(server.url + path)).text()).includes(password), path);
    }
    assert.ok(!server.logLines.join('').includes(password));
  });
});
