import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Orthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs, type Pacs } from '../../server/src/study/dicomweb.ts';
import type { RetrieveProgress } from '../../server/src/study/retrieve.ts';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';
import { encodeFile, type MadeSeries, makeSeries } from '../fixtures/make-series.ts';
import type { FaultProxy } from './fault-proxy.ts';
import { type StoredSeries, slices, storedVolume, storeSeries } from './stored-series.ts';

const maxVoxels = 1e8;
const volume = storedVolume;

let stored: StoredSeries;
let orthanc: Orthanc;
let relay: FaultProxy;
let direct: Pacs;
let pacs: Pacs;
let made: MadeSeries;

before(async () => {
  stored = await storeSeries();
  ({ orthanc, relay, direct, pacs, made } = stored);
});

after(() => stored?.close());

beforeEach(() => relay.setPlan(undefined));

const address = () => ({ ...stored.address, volume: '' });
const read = (progress?: RetrieveProgress[]) =>
  readSeriesFromPacs(pacs, address(), { maxVoxels, onProgress: (step) => void progress?.push(step) });

const refuses = (work: Promise<unknown>, code: string, message = /./): Promise<void> =>
  assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });

/** True for the request of the whole series. */
const isWholeSeries = (method: string, path: string): boolean => method === 'GET' && /\/series\/[0-9.]+$/.test(path);

test('a stored series is found and comes back voxel for voxel', async () => {
  await direct.echo();
  const [found, ...others] = await direct.searchSeries({ modality: 'MR' });
  assert.deepEqual(others, []);
  assert.equal(found?.seriesInstanceUid, made.seriesInstanceUid);
  assert.equal(found?.studyInstanceUid, made.studyInstanceUid);
  assert.equal(found?.bodyPart, 'HEAD');
  assert.deepEqual(
    (await direct.searchStudies()).map((study) => study.studyInstanceUid),
    [made.studyInstanceUid],
  );
  const series = await readSeriesFromPacs(direct, address(), { maxVoxels });
  assert.deepEqual(series.volume.data, volume.data);
  assert.deepEqual(
    series.instances.map(({ sopInstanceUid }) => sopInstanceUid),
    made.sopInstanceUids,
  );
  assert.equal(series.header['PatientName'], 'TEST^SERIES');
});

test('what the PACS holds is told by has, with and without the series', async () => {
  const { studyInstanceUid, seriesInstanceUid } = address();
  const sopInstanceUid = made.sopInstanceUids[3]!;
  assert.equal(await direct.has({ studyInstanceUid, seriesInstanceUid, sopInstanceUid }), true);
  assert.equal(await direct.has({ studyInstanceUid, sopInstanceUid }), true);
  assert.equal(await direct.has({ studyInstanceUid, sopInstanceUid: '1.2.3' }), false);
  assert.equal(await direct.has({ studyInstanceUid: '1.2.4', sopInstanceUid }), false);
});

test('an unknown series and a malformed UID are refused', async () => {
  const unknown = { ...address(), seriesInstanceUid: '1.2.3' };
  await refuses(readSeriesFromPacs(direct, unknown, { maxVoxels }), 'series-not-found');
  const hostile = { ...address(), seriesInstanceUid: '1.2/../..' };
  await refuses(readSeriesFromPacs(direct, hostile, { maxVoxels }), 'request-invalid', /SeriesInstanceUID/);
});

test('a series over the voxel limit is stopped at its first instance', async () => {
  const work = readSeriesFromPacs(pacs, address(), { maxVoxels: 1000 });
  await refuses(work, 'image-too-large', /184320 voxels/);
});

test('a wrong password is a refusal, a dead address is not reachable', async () => {
  const credentials = { username: orthanc.credentials.username, password: 'wrong' };
  const wrong = createPacs({ url: orthanc.url, credentials, idleSeconds: 5, retries: 0 });
  await refuses(wrong.echo(), 'pacs-refused', /401/);
  await refuses(wrong.store(made.files[0]!), 'pacs-refused', /401/);
  await wrong.close();
  const dead = createPacs({ url: 'http://127.0.0.1:9/dicom-web', idleSeconds: 1, retries: 0 });
  await refuses(dead.echo(), 'pacs-unreachable', /ECONNREFUSED/);
  await dead.close();
});

for (const kind of ['reset', 'silence'] as const) {
  test(`after a ${kind} in the middle only the missing instances are fetched (S3)`, async () => {
    const afterBytes = 150_000;
    relay.setPlan((method, path) => (isWholeSeries(method, path) ? { kind, afterBytes } : undefined));
    const series = await read();
    assert.deepEqual(series.volume.data, volume.data);
    const whole = relay.requests.filter((line) => /\/series\/[0-9.]+$/.test(line)).length;
    const single = relay.requests.filter((line) => /\/instances\/[0-9.]+$/.test(line)).length;
    assert.equal(whole, 1);
    const complete = Math.floor(afterBytes / (volume.data.byteLength / slices + 1500));
    assert.ok(Math.abs(single - (slices - complete)) <= 1, `${single} instances fetched, ${complete} were complete`);
  });
}

for (const status of [400, 404, 413, 500, 501] as const) {
  test(`a PACS that answers ${status} to a whole series gives its instances, each asked for once`, async () => {
    relay.setPlan((method, path) => (isWholeSeries(method, path) ? { kind: 'answer', status } : undefined));
    assert.deepEqual((await read()).volume.data, volume.data);
    const of = (pattern: RegExp) => relay.requests.filter((line) => pattern.test(line)).length;
    assert.deepEqual([of(/\/series\/[0-9.]+$/), of(/\/instances\/[0-9.]+$/)], [1, slices]);
  });
}

for (const status of [429, 503] as const) {
  test(`after ${status} the PACS is asked again, and not before the time that it names`, async () => {
    const asked: number[] = [];
    relay.setPlan((method, path) => {
      if (!isWholeSeries(method, path)) return undefined;
      asked.push(performance.now());
      return asked.length === 1 ? { kind: 'answer', status, retryAfter: '1' } : undefined;
    });
    assert.deepEqual((await read()).volume.data, volume.data);
    assert.equal(asked.length, 2);
    assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 990, 'a second was asked for');
  });

  test(`a search that is answered ${status} once is made again`, async () => {
    const seen: string[] = [];
    relay.setPlan((_, path) => {
      seen.push(path);
      return seen.length === 1 ? { kind: 'answer', status } : undefined;
    });
    assert.equal((await pacs.searchSeries(address())).length, 1);
  });
}

test('an instance that is gone although it is listed is told as such', async () => {
  relay.setPlan((method, path) =>
    isWholeSeries(method, path) || path.includes('/instances/') ? { kind: 'answer', status: 404 } : undefined,
  );
  await refuses(read(), 'series-not-found');
});

test('silence that never ends is given up at the idle limit, after the retries', async () => {
  relay.setPlan((_, path) =>
    /\/series\/[0-9.]+(\/instances\/[0-9.]+)?$/.test(path) ? { kind: 'silence', afterBytes: 10_000 } : undefined,
  );
  const start = performance.now();
  await refuses(read(), 'pacs-unreachable', /No byte from the PACS for 1 s/);
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds < 12, `${seconds} s`);
});

test('a transfer slower than the idle limit in all succeeds, and its progress moves (S3)', async () => {
  relay.setPlan((method, path) =>
    isWholeSeries(method, path) ? { kind: 'slow', chunkBytes: 20_000, pauseMs: 150 } : undefined,
  );
  const progress: RetrieveProgress[] = [];
  const start = performance.now();
  const series = await read(progress);
  assert.ok(performance.now() - start > 1500, 'longer than the idle limit');
  assert.deepEqual(series.volume.data, volume.data);
  assert.equal(relay.requests.filter((line) => /\/instances\/[0-9.]+$/.test(line)).length, 0);
  assert.deepEqual(progress.at(-1)?.instances, slices);
  const bytes = progress.map((step) => step.bytes);
  assert.ok(new Set(bytes).size > 10);
  assert.deepEqual(
    bytes,
    [...bytes].sort((a, b) => a - b),
  );
});

test('a login page in place of the objects, or of a search, is not taken for them', async () => {
  const page = { kind: 'answer', status: 200, contentType: 'text/html', body: '<html>Sign in</html>' } as const;
  relay.setPlan((method, path) => (isWholeSeries(method, path) ? page : undefined));
  await refuses(read(), 'pacs-answer-invalid', /text\/html/);
  relay.setPlan(() => page);
  await refuses(pacs.echo(), 'pacs-answer-invalid', /text\/html/);
  await refuses(pacs.store(made.files[0]!), 'pacs-store-failed', /did not confirm/);
});

test('a redirect to another origin is not followed', async () => {
  const location = 'http://localhost:9/dicom-web/studies';
  relay.setPlan(() => ({ kind: 'answer', status: 302, location }));
  await refuses(pacs.echo(), 'pacs-answer-invalid', /another origin/);
});

test('the three forms of "nothing found" mean no hits (S1)', async () => {
  for (const answer of [{ status: 204 }, { status: 200 }, { status: 200, contentType: 'text/html', body: '' }]) {
    relay.setPlan(() => ({ kind: 'answer', ...answer }));
    assert.deepEqual(await pacs.searchSeries({ modality: 'CT' }), []);
  }
});

test('a server that caps its pages is read to the end, one deaf to the offset is noticed (S1)', async () => {
  relay.setPlan(() => ({ kind: 'query', change: (query) => query.set('limit', '7') }));
  assert.equal((await pacs.searchInstances(address())).length, slices);
  relay.setPlan(() => ({ kind: 'query', change: (query) => query.delete('offset') }));
  assert.equal((await pacs.searchInstances(address())).length, slices);
  assert.equal(relay.requests.length, 2);
  const deafAndCapped = (query: URLSearchParams): void => {
    query.delete('offset');
    query.set('limit', '7');
  };
  relay.setPlan((_, path) => (path.includes('?') ? { kind: 'query', change: deafAndCapped } : undefined));
  assert.deepEqual((await read()).volume.data, volume.data);
});

test('a server that answers 406 to a transfer syntax is asked without one, and remembered (S2)', async () => {
  relay.setPlan((_method, path, _number, headers) =>
    isWholeSeries('GET', path) && /transfer-syntax/.test(headers.accept ?? '')
      ? { kind: 'answer', status: 406 }
      : undefined,
  );
  assert.deepEqual((await read()).volume.data, volume.data);
  assert.equal(relay.requests.filter((line) => /\/series\/[0-9.]+$/.test(line)).length, 2);
  await read();
  assert.equal(relay.requests.filter((line) => /\/series\/[0-9.]+$/.test(line)).length, 3);
});

test('an object of another series in the answer is refused', async () => {
  const part = (text: string): Buffer => Buffer.from(text, 'latin1');
  const [foreign] = makeSeries(volume).files;
  const body = Buffer.concat([part('--b\r\nContent-Type: application/dicom\r\n\r\n'), foreign!, part('\r\n--b--')]);
  relay.setPlan((method, path) =>
    isWholeSeries(method, path)
      ? { kind: 'answer', status: 200, contentType: 'multipart/related; type="application/dicom"; boundary=b', body }
      : undefined,
  );
  await refuses(read(), 'pacs-answer-invalid', /another series/);
});

test('an abort ends a running transfer at once with its reason', async () => {
  relay.setPlan((method, path) =>
    isWholeSeries(method, path) ? { kind: 'slow', chunkBytes: 5000, pauseMs: 200 } : undefined,
  );
  const controller = new AbortController();
  const reason = new Error('the user pressed cancel');
  const start = performance.now();
  const onProgress = (): void => {
    setTimeout(() => controller.abort(reason), 10);
  };
  const work = readSeriesFromPacs(pacs, address(), { maxVoxels, signal: controller.signal, onProgress });
  await assert.rejects(work, (error) => error === reason);
  assert.ok(performance.now() - start < 3000);
});

test('an object that the PACS does not accept is reported as not stored', async () => {
  const notStorable = encodeFile({ SOPClassUID: '1.2.840.10008.5.1.4.1.1.4', SOPInstanceUID: '1.2.3.4' });
  await refuses(direct.store(notStorable), 'pacs-store-failed');
});

test('what a PACS has no time for or finds too large is told, and stored once when it takes it', async () => {
  const { files, studyInstanceUid, seriesInstanceUid } = makeSeries(volume);
  const [file = new Uint8Array()] = files;
  for (const status of [413, 429, 503]) {
    relay.setPlan((method) => (method === 'POST' ? { kind: 'answer', status } : undefined));
    await refuses(pacs.store(file), status === 413 ? 'pacs-object-too-large' : 'pacs-unreachable', RegExp(`${status}`));
  }
  relay.setPlan(() => ({ kind: 'slow', chunkBytes: 200, pauseMs: 50 }));
  await pacs.store(file);
  assert.equal((await direct.searchInstances({ studyInstanceUid, seriesInstanceUid })).length, 1);
});
