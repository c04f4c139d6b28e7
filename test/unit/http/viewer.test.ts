import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import express from 'express';
import { localCaller } from '../../../server/src/http/auth.ts';
import { viewerRouter } from '../../../server/src/http/viewer.ts';
import { createPacs } from '../../../server/src/study/dicomweb.ts';

for (const wildcards of [true, false]) {
  test(`the study list is told that the PACS matches ${wildcards ? '' : 'no '}wildcards`, async () => {
    const pacs = { url: 'http://127.0.0.1:9/dicom-web', own: false };
    const source = createPacs({ ...pacs, idleSeconds: 1, retries: 0 });
    const folders = { viewerFolder: '/nowhere', extensionFolder: '/nowhere' };
    const router = viewerRouter({ ...folders, pacs, source, wildcards, authenticate: async () => localCaller });
    const server = createServer(express().use(router));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const script = await (await fetch(`http://127.0.0.1:${port}/app-config.js`)).text();
    server.close().closeAllConnections();
    await source.close();
    const { dataSources } = JSON.parse(script.slice('window.config = '.length, script.lastIndexOf(';')));
    assert.equal(dataSources[0].configuration.supportsWildcard, wildcards);
  });
}
