import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs, type Pacs } from '../../server/src/study/dicomweb.ts';
import type { ProfileName } from '../../server/src/study/pacs-profiles.ts';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';
import { createGeometry } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { type MadeSeries, makeSeries } from '../fixtures/make-series.ts';
import { refuses } from '../fixtures/refuses.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { aws, azure, azureConflict, google } from './pacs-products.ts';

const geometry = createGeometry({
  size: [32, 24, 5],
  spacingMm: [1, 1, 2],
  origin: [0, 0, 0],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
});
const volume = createVolume(
  Int16Array.from({ length: 32 * 24 * 5 }, (_, n) => (n * 31) % 997),
  geometry,
);

let home: string;
let orthanc: Orthanc;
let relay: FaultProxy;
let direct: Pacs;
let mr: MadeSeries;
let ct: MadeSeries;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-profiles-'));
  orthanc = await startOrthanc({ home, log: () => {} });
  relay = await startFaultProxy(orthanc.url);
  direct = open('orthanc', orthanc.url);
  const description = () => ({ SeriesDescription: 'T1 AXIAL' });
  mr = makeSeries(volume, { attributes: description });
  ct = makeSeries(volume, { modality: 'CT', attributes: description });
  for (const { files } of [mr, ct]) for (const file of files) await direct.store(file);
});

after(async () => {
  await direct?.close();
  await relay?.close();
  await orthanc?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

beforeEach(() => relay.setPlan(undefined));

function open(profile: ProfileName, url: string): Pacs {
  return createPacs({ url, credentials: orthanc.credentials, idleSeconds: 5, retries: 0, profile });
}

async function through<T>(profile: ProfileName, work: (pacs: Pacs) => Promise<T>): Promise<T> {
  const pacs = open(profile, relay.url);
  return work(pacs).finally(() => pacs.close());
}

const uidsOf = (records: readonly { readonly seriesInstanceUid: string }[]) =>
  records.map(({ seriesInstanceUid }) => seriesInstanceUid).sort();
const both = () => uidsOf([mr, ct]);
const read = (pacs: Pacs) => readSeriesFromPacs(pacs, { ...mr, volume: '' }, { maxVoxels: 1e6 });
const asked = (pattern: RegExp) => relay.requests.filter((line) => pattern.test(line));

test('generic asks no product for more rows than it takes, and Orthanc gives what Azure would refuse', async () => {
  relay.setPlan(azure());
  await through('generic', async (pacs) => assert.deepEqual(uidsOf(await pacs.searchSeries()), both()));
  await through('orthanc', (pacs) => refuses(pacs.searchSeries(), 'pacs-answer-invalid', /answered 400/));
  await through('azure', async (pacs) => assert.deepEqual((await read(pacs)).volume.data, volume.data));
});

test('what Azure answers only when asked is asked for', async () => {
  relay.setPlan(azure());
  const [unasked] = await through('generic', (pacs) => pacs.searchInstances(mr));
  assert.deepEqual([unasked?.sopClassUid, unasked?.bitsAllocated, unasked?.pixelsOfFrame], ['', undefined, undefined]);
  await through('azure', async (pacs) => {
    const [found] = await pacs.searchInstances(mr);
    const mrStorage = '1.2.840.10008.5.1.4.1.1.4';
    assert.deepEqual([found?.sopClassUid, found?.bitsAllocated, found?.pixelsOfFrame], [mrStorage, 16, 32 * 24]);
    const [series] = await pacs.searchSeries(mr);
    assert.deepEqual([series?.description, series?.bodyPart, series?.instances], ['T1 AXIAL', 'HEAD', 5]);
  });
});

for (const [profile, bytes] of [
  ['azure', 2e9],
  ['aws-healthimaging', 1e9],
] as const) {
  test(`an object beyond ${bytes} bytes is not sent to ${profile}`, async () => {
    const work = through(profile, (pacs) => pacs.store(new Uint8Array(bytes + 1)));
    await refuses(work, 'pacs-object-too-large', RegExp(`${bytes + 1} bytes, and this PACS takes ${bytes}`));
    assert.deepEqual(relay.requests, []);
  });
}

for (const profile of ['azure', 'google'] as const) {
  test(`a wildcard is refused before ${profile} matches it with nothing`, async () => {
    relay.setPlan(profile === 'azure' ? azure() : google(['00180015']));
    const query = { match: { SeriesDescription: 'T1*' } };
    assert.deepEqual(await through('generic', (pacs) => pacs.searchSeries(query)), []);
    relay.setPlan(undefined);
    const work = through(profile, (pacs) => pacs.searchSeries(query));
    await refuses(work, 'request-invalid', /SeriesDescription has a wildcard/);
    assert.deepEqual(relay.requests, []);
  });
}

test('Google is asked for as many series as it gives, not for the 100 that it gives of itself', async () => {
  relay.setPlan(google(['00180015']));
  await through('google', async (pacs) => {
    assert.deepEqual(uidsOf(await pacs.searchSeries()), both());
    assert.equal(asked(/\/series\?.*limit=5000/).length, relay.requests.length);
    assert.deepEqual((await read(pacs)).volume.data, volume.data);
  });
});

test('a PACS that refuses a field is asked without, and not again with it', async () => {
  relay.setPlan(google([]));
  await through('google', async (pacs) => {
    for (const searches of [1, 2]) {
      assert.deepEqual(uidsOf(await pacs.searchSeries()), both());
      assert.equal(asked(/includefield/).length, 1, `after ${searches}`);
    }
  });
  relay.setPlan(() => ({ kind: 'answer', status: 400 }));
  await through('google', async (pacs) => {
    await refuses(pacs.searchSeries(), 'pacs-answer-invalid', /answered 400/);
    relay.setPlan(undefined);
    assert.equal((await pacs.searchSeries(mr))[0]?.bodyPart, 'HEAD');
  });
});

test('AWS HealthImaging is searched study by study and read instance by instance, one file each', async () => {
  relay.setPlan(aws);
  await through('generic', (pacs) => refuses(pacs.searchSeries(), 'pacs-answer-invalid', /answered 404/));
  relay.setPlan(aws);
  await through('aws-healthimaging', async (pacs) => {
    assert.deepEqual(uidsOf(await pacs.searchSeries()), both());
    assert.deepEqual(uidsOf(await pacs.searchSeries({ modality: 'CT' })), [ct.seriesInstanceUid]);
    assert.equal((await pacs.searchSeries({ atMost: 1 })).length, 1);
    assert.deepEqual(asked(/dicom-web\/series/), []);
    relay.setPlan(aws);
    assert.deepEqual((await read(pacs)).volume.data, volume.data);
    assert.deepEqual(asked(/\/series\/[0-9.]+$/), []);
    assert.equal(asked(/\/instances\/[0-9.]+$/).length, 5);
    const unknown = { ...mr, seriesInstanceUid: '1.2.3', volume: '' };
    await refuses(readSeriesFromPacs(pacs, unknown, { maxVoxels: 1e6 }), 'series-not-found', /no such series/);
  });
});

test('wildcards reach Orthanc as they are; a blank, which it would match with nothing, is refused', async () => {
  for (const SeriesDescription of ['T1?AXIAL', 'T1*', '*AXIAL']) {
    assert.deepEqual(uidsOf(await direct.searchSeries({ match: { SeriesDescription } })), both(), SeriesDescription);
  }
  assert.deepEqual(await direct.searchSeries({ match: { SeriesDescription: 'T2?AXIAL' } }), []);
  const query = { match: { SeriesDescription: 'T1 AXIAL' } };
  assert.deepEqual(await through('generic', (pacs) => pacs.searchSeries(query)), []);
  await refuses(direct.searchSeries(query), 'request-invalid', /SeriesDescription has a blank.*write \?/);
});

// Last: it adds a series.
test('a store that came through unheard is known to Azure by its reason, and no other reason passes for it', async () => {
  const { files, sopInstanceUids, ...series } = makeSeries(volume, { studyInstanceUid: mr.studyInstanceUid });
  const [file = new Uint8Array()] = files;
  const [uid = ''] = sopInstanceUids;
  await through('azure', async (pacs) => {
    relay.setPlan(azure());
    await refuses(pacs.store(file), 'pacs-unreachable', /./);
    assert.equal((await direct.searchInstances(series)).length, 1);
    relay.setPlan(() => azureConflict(uid));
    await pacs.store(file);
    for (const other of [azureConflict(uid, 45071), azureConflict('1.2.3')]) {
      relay.setPlan(() => other);
      await refuses(pacs.store(file), 'pacs-store-failed', /reason 4507/);
    }
  });
  relay.setPlan(() => azureConflict(uid));
  await through('generic', (pacs) => refuses(pacs.store(file), 'pacs-store-failed', /reason 45070/));
});
