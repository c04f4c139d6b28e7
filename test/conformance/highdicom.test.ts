import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Random } from '../../server/src/engine/random.ts';
import { layOnImage } from '../../server/src/seg/lay-on-image.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { randomGeometry } from '../fixtures/seg-request.ts';
import { python, skipWithout } from '../fixtures/validators.ts';

describe('SEGs as highdicom lays them out', { skip: skipWithout('python3') }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uncol-highdicom-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [type, bits, rle] of [
    ['BINARY', 8, false],
    ['FRACTIONAL', 8, false],
    ['FRACTIONAL', 8, true],
    ['LABELMAP', 8, false],
    ['LABELMAP', 8, true],
    ['LABELMAP', 16, false],
    ['LABELMAP', 16, true],
  ] as const) {
    it(`are read voxel for voxel: ${type}${type === 'LABELMAP' ? ` of ${bits} bits` : ''}${rle ? ' in run lengths' : ''}`, async () => {
      for (const [seed, ...size] of [[1, 187, 239, 7] as const, [2, 40, 32, 9] as const, [3, 13, 11, 5] as const]) {
        const image = randomGeometry(Random.for(seed, 'highdicom'), size);
        const [object, truth] = [join(folder, 'object.dcm'), join(folder, 'labels.raw')];
        const script = join(import.meta.dirname, 'write-highdicom-seg.py');
        const input = JSON.stringify({ ...image, type, bits, rle });
        execFileSync(python, ['-W', 'ignore', script, object, truth], { input });
        const bytes = await readFile(object);
        const seg = readSeg(bytes);
        const numbers = seg.segments.map(({ number }) => number);
        const wanted = type !== 'LABELMAP' ? [1, 2] : bits === 8 ? [7, 200] : [7, 300];
        assert.deepEqual(numbers, wanted);
        const classes = new Map(numbers.map((number, at) => [number, at + 1]));
        const laid = layOnImage(seg, { classes, image, maxVoxels: 1e7, resample: false });
        const labels = new Uint16Array(Uint8Array.from(await readFile(truth)).buffer);
        const wrong = labels.reduce((sum, label, n) => sum + Number((classes.get(label) ?? 0) !== laid.labels[n]), 0);
        assert.deepEqual([wrong, laid.resampled, laid.notes], [0, false, []], `${size}`);
        assert.ok(laid.labels.includes(1) && laid.labels.includes(2));
      }
    });
  }
});
