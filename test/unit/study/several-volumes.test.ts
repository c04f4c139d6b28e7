import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { makeMultiFrame } from '../../fixtures/make-multi-frame.ts';
import { makeSeries, type SliceAttributes } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { phantom } from './phantom.ts';

const source = phantom(5);
const uids = { studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.4' };

/** The source with its values moved, so that volumes differ in every voxel. */
const moved = (by: number): Volume =>
  createVolume(source.data.map((value) => value + by) as Int16Array, source.geometry);

/** Files of one series, a volume for each entry, all at the same positions; the volumes take turns. */
function files(volumes: readonly ((k: number) => SliceAttributes)[], without: readonly number[] = []): Uint8Array[] {
  const made = volumes.map((attributes, n) =>
    makeSeries(moved(1000 * n), {
      ...uids,
      attributes: (k) => ({ FrameOfReferenceUID: '1.2.5', InstanceNumber: 10 * k + n + 1, ...attributes(k) }),
    }),
  );
  const all = [0, 1, 2, 3, 4].flatMap((k) => made.map((series) => series.files[k]!));
  return all.filter((_, at) => !without.includes(at));
}

const read = (given: readonly Uint8Array[], volume?: string) => assembleSeries(given, { maxVoxels: 1200, volume });

test('two echoes in one series are named, and each is read alone', async () => {
  const echoes = files([() => ({ EchoTime: '4.6' }), () => ({ EchoTime: '9.2' })]);
  await refuses(
    read(echoes),
    'series-several-volumes',
    /^The series holds 2 volumes of 5 slices: EchoTime=4\.6; EchoTime=9\.2\.$/,
  );
  await refuses(
    read(echoes, 'EchoTime=7'),
    'series-several-volumes',
    /^The series has no such volume\. It holds 2 volumes/,
  );
  const second = await read(echoes, 'EchoTime=9.2');
  assert.deepEqual(second.volume.data, moved(1000).data);
  assert.equal(second.instances.length, 5);
});

test('a value that is no number and no code is shown to nobody', async () => {
  const named = files([() => ({ ImageType: ['DERIVED', 'MÜLLER^ANNA'] }), () => ({ ImageType: ['DERIVED', 'B'] })]);
  await assert.rejects(read(named), (error: Error) => !/M.?LLER|ANNA/.test(error.message + JSON.stringify(error)));
});

test('volumes may differ in several attributes, and in what changes from slice to slice as well', async () => {
  const timed = (echo: string, phase: string, n: number) => (k: number) => ({
    ...{ EchoTime: echo, TemporalPositionIdentifier: phase, TriggerTime: String(100 * k + 10 * n) },
  });
  const four = files([timed('1', '1', 0), timed('1', '2', 1), timed('2', '1', 2), timed('2', '2', 3)]);
  await refuses(
    read(four),
    'series-several-volumes',
    /^The series holds 4 volumes of 5 slices: EchoTime=1,TemporalPositionIdentifier=1;/,
  );
  const third = await read(four, 'EchoTime=2,TemporalPositionIdentifier=1');
  assert.deepEqual(third.volume.data, moved(2000).data);
});

test('a volume that lacks a slice, or images that nothing tells apart, are not taken for volumes', async () => {
  const lacking = files([() => ({ EchoTime: '1' }), () => ({ EchoTime: '2' })], [5]);
  await refuses(read(lacking), 'series-duplicate-slices', /both lie at/);
  await refuses(read(files([() => ({}), () => ({})])), 'series-duplicate-slices', /both lie at/);
  const one = files([() => ({ EchoTime: '1' })]);
  assert.deepEqual((await read(one)).volume.data, source.data);
  await refuses(
    read(one, 'EchoTime=1'),
    'series-several-volumes',
    /^The series has no such volume\. It holds one volume/,
  );
});

test('time points of an enhanced object are told apart by the groups of its frames', async () => {
  const part = (n: number) =>
    makeMultiFrame(moved(1000 * n), {
      uids: { ...uids, frameOfReferenceUid: '1.2.5' },
      groups: (k) => ({
        FrameContentSequence: [{ StackID: '1', InStackPositionNumber: k + 1, TemporalPositionIndex: n + 1 }],
      }),
    }).file;
  const both = [part(0), part(1)];
  await refuses(read(both), 'series-several-volumes', /TemporalPositionIndex=1; TemporalPositionIndex=2\.$/);
  assert.deepEqual((await read(both, 'TemporalPositionIndex=2')).volume.data, moved(1000).data);
});
