import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';
import { type StoredSeries, slices, storedVolume, storeSeries } from './stored-series.ts';

let stored: StoredSeries;

before(async () => {
  stored = await storeSeries();
});

after(() => stored?.close());

beforeEach(() => stored.relay.setPlan(undefined));

const read = () => readSeriesFromPacs(stored.pacs, { ...stored.address, volume: '' }, { maxVoxels: 1e8 });

/** True for the request of the whole series. */
const isWholeSeries = (method: string, path: string): boolean => method === 'GET' && /\/series\/[0-9.]+$/.test(path);

test('the instances are listed only where they are not as many as the PACS counts', async () => {
  const lists = () => stored.relay.requests.filter((line) => /\/instances\?/.test(line)).length;
  const single = () => stored.relay.requests.filter((line) => /\/instances\/[0-9.]+$/.test(line)).length;
  assert.deepEqual((await read()).volume.data, storedVolume.data);
  assert.equal(lists(), 0);
  // A count that is missing, none, too low or too high.
  for (const value of [undefined, -1, 0, slices - 1, slices + 1]) {
    const counted = value === undefined ? {} : { '00201209': { vr: 'IS', Value: [value] } };
    const uid = (found: string) => ({ vr: 'UI', Value: [found] });
    const { studyInstanceUid, seriesInstanceUid } = stored.address;
    const series = { '0020000D': uid(studyInstanceUid), '0020000E': uid(seriesInstanceUid), ...counted };
    const answer = { kind: 'answer', status: 200, contentType: 'application/dicom+json' } as const;
    stored.relay.setPlan((_, path) =>
      /\/series\?/.test(path) ? { ...answer, body: JSON.stringify([series]) } : undefined,
    );
    assert.deepEqual((await read()).volume.data, storedVolume.data);
    assert.ok(lists() > 0);
    assert.equal(single(), 0);
  }
});

test('what a whole answer leaves out is fetched by itself, however well it ends', async () => {
  const part = (file: Uint8Array) => [
    Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n'),
    file,
    Buffer.from('\r\n'),
  ];
  const body = Buffer.concat([...stored.made.files.slice(3).flatMap(part), Buffer.from('--b--')]);
  const contentType = 'multipart/related; type="application/dicom"; boundary=b';
  stored.relay.setPlan((method, path) =>
    isWholeSeries(method, path) ? { kind: 'answer', status: 200, contentType, body } : undefined,
  );
  assert.deepEqual((await read()).volume.data, storedVolume.data);
  assert.equal(stored.relay.requests.filter((line) => /\/instances\/[0-9.]+$/.test(line)).length, 3);
});
