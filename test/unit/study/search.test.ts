import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createPacs } from '../../../server/src/study/dicomweb.ts';

/** A PACS without end: every page of series is full. */
const asked: string[] = [];
const server = createServer((request, response) => {
  const query = new URL(request.url ?? '', 'http://pacs').searchParams;
  asked.push(query.get('limit') ?? '');
  const rows = Array.from({ length: Number(query.get('limit')) }, (_, n) => ({
    '0020000D': { vr: 'UI', Value: [`1.2.${Number(query.get('offset')) + n}`] },
    '0020000E': { vr: 'UI', Value: [`1.3.${Number(query.get('offset')) + n}`] },
    '00080060': { vr: 'CS', Value: ['MR'] },
  }));
  response.setHeader('content-type', 'application/dicom+json').end(JSON.stringify(rows));
});

before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
after(() => new Promise((resolve) => server.close(resolve)));

test('a search for at most so many series ends there, however many the PACS holds', async () => {
  const { port } = server.address() as AddressInfo;
  const pacs = createPacs({ url: `http://127.0.0.1:${port}`, idleSeconds: 5, retries: 0, profile: 'orthanc' });
  const found = await pacs.searchSeries({ modality: 'MR', atMost: 1200 });
  await pacs.close();
  assert.equal(new Set(found.map((series) => series.seriesInstanceUid)).size, 1200);
  assert.deepEqual(asked, ['500', '500', '200']);
});

test('a gentle client keeps its distance between requests, and a search that is given up does not wait for its turn', async () => {
  const { port } = server.address() as AddressInfo;
  const pacs = createPacs({
    url: `http://127.0.0.1:${port}`,
    idleSeconds: 5,
    retries: 0,
    requestsPerSecond: 10,
    profile: 'orthanc',
  });
  const began = performance.now();
  await pacs.searchSeries({ modality: 'MR', atMost: 1200 });
  // Three pages: the first at once, two turns of 100 ms. Timers may be early by a millisecond.
  assert.ok(performance.now() - began >= 195);
  const stop = new AbortController();
  const given = pacs.searchSeries({ modality: 'MR', atMost: 5000 }, stop.signal);
  stop.abort(new Error('given up'));
  await assert.rejects(given);
  await pacs.close();
});
