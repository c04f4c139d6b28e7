import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { createSegmenter } from '../../../server/src/jobs/segmenter.ts';
import { readVersion, seedFolder } from '../../../server/src/registry/registry.ts';
import { readSeriesFromFolder } from '../../../server/src/study/series.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { makeSeries } from '../../fixtures/make-series.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

test('brain-mr finds no brain in noise, says so, and is sure of nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-segmenter-'));
  const segmenter = createSegmenter(async () => createOnnxEngine({ threads: 1 }));
  try {
    const geometry = centredGrid([112, 112, 6], [2, 2, 2], axialDirection);
    const random = new Random(7);
    const noise = Int16Array.from({ length: 112 * 112 * 6 }, () => Math.round(300 + random.normal(100)));
    const { files } = makeSeries(createVolume(noise, geometry));
    for (const [k, file] of files.entries()) await writeFile(join(folder, `${k}.dcm`), file);
    const series = await readSeriesFromFolder(folder, { maxVoxels: 1e6 });
    const model = await readVersion(join(fileURLToPath(seedFolder), 'brain-mr', '1'), 'seed');
    assert.ok(model);
    const { result } = await segmenter.segment(series, model);
    assert.deepEqual(
      result.segments.map(({ label, voxels }) => [label, voxels]),
      [['brain', 0]],
    );
    assert.deepEqual([result.missingSegments, result.isStrange, result.uncertainty], [[1], true, 1]);
    assert.match(result.notes.join(), /from those that brain-mr was made for: [\d.]+, strange beyond [\d.]+/);
  } finally {
    await segmenter.close();
    await rm(folder, { recursive: true });
  }
});
