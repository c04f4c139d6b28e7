import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import dcmjs from 'dcmjs';
import { writeSignature } from '../../server/src/candidate/write-version.ts';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { createSegmenter } from '../../server/src/jobs/segmenter.ts';
import { countOverlap, diceOf } from '../../server/src/labelmap/metrics.ts';
import { readVersion } from '../../server/src/registry/registry.ts';
import { openSigningKey } from '../../server/src/registry/signature.ts';
import { readSeriesFromFolder } from '../../server/src/study/series.ts';
import { makeModel } from '../fixtures/make-model.ts';
import { makeSeries, writeSeries } from '../fixtures/make-series.ts';
import { makeTinyVnet } from '../fixtures/tiny-vnet.ts';
import { ballVolume } from '../unit/student/phantom.ts';
import { centredGrid, turnedDirection } from '../unit/volume/grids.ts';

const bin = fileURLToPath(new URL('../../server/bin/uncol.mjs', import.meta.url));
const [name, otherName] = ['ball-mr', 'untrained-mr'];

/** Labels of a binary SEG of one segment, `[slice, row, column]` on the source; frames may come in any order. */
function readSeg(path: string, sopInstanceUids: readonly string[], pixels: number): Uint8Array {
  const { DicomMessage, DicomMetaDictionary } = dcmjs.data;
  const file = DicomMessage.readFile(new Uint8Array(readFileSync(path)).buffer);
  const seg = DicomMetaDictionary.naturalizeDataset(file.dict);
  const [bits] = seg['PixelData'] as ArrayBuffer[];
  const bytes = new Uint8Array(bits ?? assert.fail());
  const labels = new Uint8Array(sopInstanceUids.length * pixels);
  const frames = seg['PerFrameFunctionalGroupsSequence'] as {
    DerivationImageSequence: { SourceImageSequence: { ReferencedSOPInstanceUID: string }[] }[];
  }[];
  for (const [f, frame] of frames.entries()) {
    const source = frame.DerivationImageSequence[0]?.SourceImageSequence[0]?.ReferencedSOPInstanceUID ?? '';
    const slice = sopInstanceUids.indexOf(source);
    assert.notEqual(slice, -1);
    for (let n = 0; n < pixels; n++) {
      const bit = f * pixels + n;
      labels[slice * pixels + n] = (bytes[bit >> 3]! >> (bit & 7)) & 1;
    }
  }
  return labels;
}

describe('a 3D model', () => {
  const home = mkdtempSync(join(tmpdir(), 'uncol-3d-'));
  const models = join(home, 'models');
  const geometry = centredGrid([72, 64, 26], [1.3, 1.3, 3.4], turnedDirection(0.35, -0.25, 0.5));
  const { volume, truth } = ballVolume(geometry, [14, -9, 6], 19);
  const series = makeSeries(volume);
  const diceWith = (labels: Uint8Array): number => diceOf(countOverlap(labels, truth, 1));
  let folder: string;
  let served: Uint8Array;

  before(async () => {
    folder = await writeSeries(series.files);
    await makeTinyVnet(models, name);
    await makeModel(models, { name: otherName });
    const key = await openSigningKey({ home })();
    for (const made of [name, otherName]) await writeSignature(join(models, made, '1'), key);
  });
  after(() => {
    rmSync(home, { recursive: true });
    rmSync(folder, { recursive: true });
  });

  it('trained for seconds finds a ball on an oblique, anisotropic series, by `uncol segment`', (test) => {
    const out = join(home, 'ball.seg.dcm');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [bin, 'segment', folder, '--json', '--out', out, '--model', `${name}@1`],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], UNCOL_HOME: home } },
    );
    assert.equal(status, 0, stderr);
    const { segments, uncertainty, timingsMs } = JSON.parse(stdout);
    served = readSeg(out, series.sopInstanceUids, 72 * 64);
    assert.equal(segments[0].voxels, countOverlap(served, truth, 1).a);
    test.diagnostic(`Dice ${diceWith(served)}, uncertainty ${uncertainty}, ${JSON.stringify(timingsMs)}`);
    assert.ok(diceWith(served) > 0.8, `Dice ${diceWith(served)}`);
    assert.ok(uncertainty > 0 && uncertainty < 1);
  });

  it('takes turns with a 2D model in one process, window by window', async () => {
    const source = await readSeriesFromFolder(folder, { maxVoxels: 1e7 });
    const ours = (await readVersion(join(models, name, '1'), 'service'))!;
    const other = (await readVersion(join(models, otherName, '1'), 'service'))!;
    const segmenter = createSegmenter(async () => createOnnxEngine({ threads: 2 }));
    const percents: number[] = [];
    const onProgress = (stage: string, percent: number) => void (stage === 'segment' && percents.push(percent));
    const first = await segmenter.segment(source, ours, { onProgress });
    const between = await segmenter.segment(source, other);
    const second = await segmenter.segment(source, ours);
    await segmenter.close();
    assert.deepEqual(first.labelmap.data, served);
    assert.deepEqual(second.labelmap.data, served);
    assert.notDeepEqual(between.labelmap.data, served);
    assert.ok(percents.length > 8, `${percents}`);
    assert.ok(
      percents.every((percent, n) => n === 0 || percent > percents[n - 1]!),
      `${percents}`,
    );
  });

  it('is stopped between two windows', async () => {
    const source = await readSeriesFromFolder(folder, { maxVoxels: 1e7 });
    const model = (await readVersion(join(models, name, '1'), 'service'))!;
    const segmenter = createSegmenter(async () => createOnnxEngine({ threads: 2 }));
    const cancel = new AbortController();
    const seen: number[] = [];
    const onProgress = (stage: string, percent: number) => {
      if (stage !== 'segment') return;
      seen.push(percent);
      if (seen.length === 2) cancel.abort();
    };
    await assert.rejects(segmenter.segment(source, model, { onProgress, signal: cancel.signal }), {
      code: 'job-cancelled',
    });
    await segmenter.close();
    assert.equal(seen.length, 2);
  });
});
