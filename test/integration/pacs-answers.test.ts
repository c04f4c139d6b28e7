import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs } from '../../server/src/study/dicomweb.ts';
import type { Pacs } from '../../server/src/study/pacs.ts';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';
import { createVolume, type Volume } from '../../server/src/volume/volume.ts';
import { type MadeSeries, makeSeries } from '../fixtures/make-series.ts';
import { axialDirection, centredGrid } from '../unit/volume/grids.ts';
import { type FaultPlan, type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const maxVoxels = 1e6;
const slices = 181;
/** Thin slices of a large CT, few pixels each, and a short series of other values. */
const made = [slices, 40].map((count, n) => {
  const geometry = centredGrid([16, 12, count], [1, 1, 1], axialDirection);
  const size = geometry.size[0] * geometry.size[1];
  const volume = createVolume(
    Int16Array.from({ length: size * count }, (_, at) => 2 * ((at * 7919) % 4001) + n),
    geometry,
  );
  return { volume, series: makeSeries(volume, { studyInstanceUid: '1.2.826.1' }) };
}) as [{ volume: Volume; series: MadeSeries }, { volume: Volume; series: MadeSeries }];
const [first, second] = made;

let home: string;
let orthanc: Orthanc;
let relay: FaultProxy;
let pacs: Pacs;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-answers-'));
  orthanc = await startOrthanc({ home, log: () => {} });
  relay = await startFaultProxy(orthanc.url);
  pacs = createPacs({ url: relay.url, credentials: orthanc.credentials, idleSeconds: 5, retries: 1 });
  for (const { series } of made) for (const file of series.files) await pacs.store(file);
});

after(async () => {
  await pacs?.close();
  await relay?.close();
  await orthanc?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

beforeEach(() => relay.setPlan(undefined));

const read = (series: MadeSeries, from = pacs) => readSeriesFromPacs(from, { ...series, volume: '' }, { maxVoxels });
const asked = (pattern: RegExp): number => relay.requests.filter((line) => pattern.test(line)).length;
const wholeSeries = /\/series\/[0-9.]+$/;
const oneInstance = /\/instances\/[0-9.]+$/;

test('181 slices come from a PACS that gives 100 of anything, whatever limit is asked (S1)', async () => {
  relay.setPlan((_, path) =>
    path.includes('?') ? { kind: 'query', change: (query) => query.set('limit', '100') } : undefined,
  );
  const { volume, instances } = await read(first.series);
  assert.deepEqual(volume.data, first.volume.data);
  assert.equal(instances.length, slices);
  assert.ok(asked(/\?/) <= 3, `${asked(/\?/)} searches`);
});

test('a PACS that is deaf to the offset as well is noticed within three searches, and no slice is lost (S1)', async () => {
  relay.setPlan((_, path) => {
    if (!path.includes('?')) return undefined;
    return {
      kind: 'query',
      change: (query) => {
        query.set('limit', '100');
        query.delete('offset');
      },
    };
  });
  const { volume } = await read(first.series);
  assert.deepEqual(volume.data, first.volume.data);
  assert.ok(asked(/\?/) <= 3, `${asked(/\?/)} searches`);
});

test('each form of "nothing found" ends a list of pages, and means no study, series or instance (S1)', async () => {
  const { studyInstanceUid, seriesInstanceUid } = first.series;
  for (const answer of [
    { status: 204 },
    { status: 200 },
    { status: 200, contentType: 'application/dicom+json', body: '' },
    { status: 200, contentType: 'application/dicom+json', body: '[]' },
    { status: 200, contentType: 'text/html', body: '' },
  ]) {
    const nothing = { kind: 'answer', ...answer } as const;
    relay.setPlan(() => nothing);
    assert.deepEqual(await pacs.searchStudies(), []);
    assert.deepEqual(await pacs.searchInstances({ studyInstanceUid, seriesInstanceUid }), []);
    await assert.rejects(read(first.series), { code: 'series-not-found' });
    relay.setPlan((_, path) => {
      const offset = Number(new URLSearchParams(path.split('?')[1]).get('offset') ?? 0);
      if (offset >= slices) return nothing;
      return { kind: 'query', change: (query) => query.set('limit', '100') };
    });
    assert.equal((await pacs.searchInstances({ studyInstanceUid, seriesInstanceUid })).length, slices);
  }
});

/** An instance as one plain object, as some servers give it whatever Accept says. */
const plainly: FaultPlan = (_, path) => {
  if (wholeSeries.test(path)) return { kind: 'answer', status: 400 };
  const uid = oneInstance.test(path) ? path.split('/').at(-1) : undefined;
  const body = first.series.files[first.series.sopInstanceUids.indexOf(uid ?? '')];
  return body && { kind: 'answer', status: 200, contentType: 'application/dicom', body };
};

test('objects that come alone, not in parts, are read by their Content-Type (S2)', async () => {
  relay.setPlan(plainly);
  assert.deepEqual((await read(first.series)).volume.data, first.volume.data);
  assert.deepEqual([asked(wholeSeries), asked(oneInstance)], [1, slices]);
});

for (const [name, isRefused, wasted] of [
  ['a transfer-syntax of any kind', (accept: string) => /transfer-syntax/.test(accept), 1],
  ['parts of any kind', (accept: string) => /multipart/.test(accept), 2],
  ['parts, and a transfer-syntax', (accept: string) => /multipart|transfer-syntax/.test(accept), 3],
  ['an inner type without quotes', (accept: string) => !/type="application\/dicom"/.test(accept), 0],
] as const) {
  test(`a PACS that answers 406 to ${name} costs ${wasted} requests, not ${wasted} for each slice (S2)`, async () => {
    const own = createPacs({ url: relay.url, credentials: orthanc.credentials, idleSeconds: 5, retries: 1 });
    relay.setPlan((method, path, number, { accept = '' }) => {
      if (path.includes('?') || !path.includes('/series/')) return undefined;
      if (isRefused(accept)) return { kind: 'answer', status: 406 };
      // Alone, there is no whole series.
      return accept.startsWith('multipart') ? undefined : plainly(method, path, number, {});
    });
    for (const _ of [1, 2]) assert.deepEqual((await read(first.series, own)).volume.data, first.volume.data);
    const alone = wasted >= 2;
    assert.deepEqual([asked(wholeSeries), asked(oneInstance)], [wasted + 2, alone ? 2 * slices : 0]);
    await own.close();
  });
}

test('two series of a study that are read at the same time share no slice', async () => {
  const of = (n: number) => (n % 2 === 0 ? first : second);
  const volumes = await Promise.all(Array.from({ length: 6 }, (_, n) => read(of(n).series)));
  for (const [n, { volume }] of volumes.entries()) assert.deepEqual(volume.data, of(n).volume.data);
  // A PACS that mixes them up is told of, not believed.
  relay.setPlan((_, path) => {
    const body = second.series.files[oneInstance.test(path) ? 0 : slices];
    if (wholeSeries.test(path)) return { kind: 'answer', status: 400 };
    return body && { kind: 'answer', status: 200, contentType: 'application/dicom', body };
  });
  await assert.rejects(read(first.series), { code: 'pacs-answer-invalid' });
});
