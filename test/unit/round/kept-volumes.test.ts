import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepVolumes } from '../../../server/src/round/kept-volumes.ts';
import { emptyCacheFolder, openCacheFolder } from '../../../server/src/store/cache-folder.ts';
import type { PreparedVolume } from '../../../server/src/student/prepare-volume.ts';

const place = await mkdtemp(join(tmpdir(), 'uncol-volumes-'));
after(() => rm(place, { recursive: true }));

const series = { studyInstanceUid: '1.2.840.77', seriesInstanceUid: '1.2.840.77.1', volume: '' };
const input = {
  plane: 'axial' as const,
  spacingMm: [2, 2, 2] as const,
  sizePx: [3, 2] as const,
  intensity: { lowPercentile: 1, highPercentile: 99 },
};
const volume: PreparedVolume = {
  grid: {
    ...{ size: [3, 2, 2], spacingMm: [2, 2, 2], origin: [0.1, -7.25, 1e-7] },
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  },
  image: Float32Array.from({ length: 12 }, (_, n) => Math.fround(1 / (n + 1))),
};

/** Asks as one round does, of a PACS that lists `uids`. @returns the volume and how often it was made. */
async function ask(folder: string, uids: readonly string[], { quotaBytes = 1e6, wanted = input } = {}) {
  let made = 0;
  const kept = keepVolumes(await openCacheFolder(join(place, folder), quotaBytes), wanted, async () => uids);
  const answer = await kept.get(series, async () => {
    made += 1;
    return volume;
  });
  assert.deepEqual(answer, volume);
  return made;
}

test('a later round finds a volume to the last bit, whatever the order of its instances', async () => {
  assert.equal(await ask('same', ['1.1', '1.2']), 1);
  assert.equal(await ask('same', ['1.2', '1.1']), 0);
});

test('a series that has changed is read again, and so is one for another input', async () => {
  assert.equal(await ask('changed', ['1.1', '1.2']), 1);
  assert.equal(await ask('changed', ['1.1', '1.3']), 1);
  assert.equal(await ask('changed', ['1.1', '1.2'], { wanted: { ...input, sizePx: [3, 4] as const } as never }), 1);
});

test('a series that is listed no more is asked for, so that its absence is told', async () => {
  assert.equal(await ask('gone', ['1.1']), 1);
  assert.equal(await ask('gone', []), 1);
});

test('a damaged file is never learnt from', async () => {
  await ask('damaged', ['1.1']);
  const [name = ''] = await readdir(join(place, 'damaged'));
  assert.ok(!name.includes('840'), 'names tell nothing');
  const bytes = await readFile(join(place, 'damaged', name));
  bytes.writeFloatLE(0.5, bytes.length - 4);
  await writeFile(join(place, 'damaged', name), bytes);
  assert.equal(await ask('damaged', ['1.1']), 1);
  assert.equal(await ask('damaged', ['1.1']), 0, 'and is written anew');
});

test('with a quota of nothing, nothing is kept', async () => {
  assert.equal(await ask('none', ['1.1'], { quotaBytes: 0 }), 1);
  assert.equal(await ask('none', ['1.1'], { quotaBytes: 0 }), 1);
  assert.deepEqual(await readdir(join(place, 'none')), []);
});

test('what an earlier version or a crash has left in the folder is emptied with the rest', async () => {
  const folder = join(place, 'left');
  await ask('left', ['1.1']);
  for (const name of ['old.f16', 'half.123.tmp']) await writeFile(join(folder, name), new Uint8Array(100));
  await emptyCacheFolder(folder);
  assert.deepEqual(await readdir(folder), []);
});
