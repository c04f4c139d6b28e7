import assert from 'node:assert/strict';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import express from 'express';
import { proxyDicomweb } from '../../../server/src/http/dicomweb-proxy.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a viewer that reads slowly gets all of an answer, also when the PACS has closed the connection behind it', async () => {
  const bytes = 12 * 2 ** 20;
  // Without a length the end of the connection is the end of the answer.
  const root = await listen(
    createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/dicom', connection: 'close' });
      response.end(Buffer.alloc(bytes, 7));
    }),
  );
  const front = await listen(createServer(express().use(proxyDicomweb({ url: root, own: false }))));
  const received = await new Promise<number>((resolve, reject) => {
    get(`${front}/studies/1`, async (answer) => {
      let count = 0;
      for await (const chunk of answer) {
        count += (chunk as Buffer).length;
        if (count < 2 ** 20) await pause(20);
      }
      resolve(count);
    }).on('error', reject);
  });
  assert.equal(received, bytes);
});

test('a HEAD is passed on as one, and what else a viewer sends is not', async () => {
  const seen: unknown[] = [];
  const root = await listen(
    createServer((request, response) => {
      seen.push([request.method, request.headers.accept]);
      response.writeHead(200, { 'content-type': 'application/dicom+json', 'content-length': '2' }).end();
    }),
  );
  const front = await listen(createServer(express().use(proxyDicomweb({ url: root, own: false }))));
  const answer = await fetch(`${front}/studies`, { method: 'HEAD', headers: { accept: 'application/dicom+json' } });
  assert.deepEqual([answer.status, answer.headers.get('content-length')], [200, '2']);
  assert.ok((await fetch(`${front}/studies`, { method: 'POST' })).status >= 400);
  assert.deepEqual(seen, [['HEAD', 'application/dicom+json']]);
});
