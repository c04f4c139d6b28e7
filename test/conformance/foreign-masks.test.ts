import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Random } from '../../server/src/engine/random.ts';
import { drawRegions } from '../../server/src/rtstruct/draw.ts';
import { readRtStruct } from '../../server/src/rtstruct/read.ts';
import { layOnImage } from '../../server/src/seg/lay-on-image.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import type { Geometry } from '../../server/src/volume/geometry.ts';
import { leanBy, randomGeometry } from '../fixtures/seg-request.ts';
import { python, skipWithout } from '../fixtures/validators.ts';

const classes = new Map([[1, 1]]);

describe('masks of other writers', { skip: skipWithout('python3') }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uncol-foreign-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Runs a script that writes an object and the mask that it shows. */
  const write = async (script: string, geometry: Geometry, rest: object) => {
    const [object, mask] = [join(folder, 'object.dcm'), join(folder, 'mask.raw')];
    const input = JSON.stringify({ ...geometry, ...rest });
    execFileSync(python, [join(import.meta.dirname, script), object, mask], { input });
    return { bytes: await readFile(object), mask: Uint8Array.from(await readFile(mask)) };
  };
  const randomGrid = (seed: number, size: Geometry['size']): Geometry => {
    const straight = randomGeometry(Random.for(seed, 'foreign'), size);
    return seed % 3 === 0 ? leanBy(straight, 11) : straight;
  };

  it('contours of pydicom with holes and islands show the pixels that numpy finds, on any grid', async () => {
    for (let seed = 1; seed <= 9; seed++) {
      const image = randomGrid(seed, [40, 30, 7]);
      const { bytes, mask } = await write('write-rtstruct.py', image, { seed, implicit: seed % 2 === 0 });
      const rtStruct = readRtStruct(bytes);
      assert.deepEqual(
        rtStruct.regions.map(({ number, label, algorithmType, contours }) => [
          ...[number, label, algorithmType, contours.length],
        ]),
        [
          [2, 'Кожа', '', 0],
          [1, 'Мозг', 'MANUAL', 16],
        ],
      );
      const { labels, shown, notes } = drawRegions(rtStruct, { classes, image, resample: false });
      assert.deepEqual([[...shown].sort(), notes], [[0, 2, 4, 6], []]);
      const wrong = labels.reduce((sum, label, n) => sum + Number(mask[n] !== 255 && label !== mask[n]), 0);
      assert.equal(wrong, 0, `seed ${seed}`);
      assert.ok(mask.filter((label) => label === 1).length > 1000);
      assert.ok(mask.filter((label) => label === 255).length < 20);
    }
  });

  it('a SEG that stands only on geometry is laid voxel for voxel, and its text and codes are read', async () => {
    const image = randomGrid(4, [40, 32, 60]);
    const slices = Array.from({ length: 11 }, (_, n) => 12 + 3 * n);
    const { bytes, mask } = await write('write-sparse-seg.py', image, { slices, coarser: 1 });
    const seg = readSeg(bytes);
    // The label in the character set of the object (S10).
    const structure = {
      ...{ number: 1, label: 'Таламус', algorithmType: 'MANUAL', laterality: 'both', anatomicRegion: undefined },
      type: { value: '42695009', scheme: 'SCT' },
    };
    assert.deepEqual(seg.segments, [structure]);
    const retired = await write('write-sparse-seg.py', image, { slices, coarser: 1, retired: true });
    assert.deepEqual(readSeg(retired.bytes).segments, [structure]);
    const { labels, shown, resampled } = layOnImage(seg, {
      classes,
      image,
      maxVoxels: 1e6,
      resample: false,
    });
    const expected = mask.map((label, n) => (slices.includes(Math.floor(n / 1280)) ? label : 0));
    assert.deepEqual([labels, [...shown], resampled], [expected, slices, false]);
  });

  it('one of half the resolution needs agreement, and then covers the finer truth', async () => {
    const image = randomGrid(5, [80, 64, 20]);
    const slices = Array.from({ length: 20 }, (_, k) => k);
    const { bytes, mask } = await write('write-sparse-seg.py', image, { slices, coarser: 2 });
    const lay = (resample: boolean) => layOnImage(readSeg(bytes), { classes, image, maxVoxels: 1e6, resample });
    assert.throws(() => lay(false), { code: 'import-grid-differs' });
    const { labels, resampled, notes } = lay(true);
    const both = labels.reduce((sum, label, n) => sum + (label & (mask[n] ?? 0)), 0);
    const sum = labels.reduce((total, label, n) => total + label + (mask[n] ?? 0), 0);
    assert.ok((2 * both) / sum > 0.95, `Dice ${(2 * both) / sum}`);
    assert.deepEqual([resampled, notes.length], [true, 1]);
  });
});
