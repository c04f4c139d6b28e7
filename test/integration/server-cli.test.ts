import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import dcmjs from 'dcmjs';
import { makeModel } from '../fixtures/make-model.ts';
import { makeSeries, writeSeries } from '../fixtures/make-series.ts';
import { ballVolume } from '../unit/student/phantom.ts';
import { axialDirection, centredGrid } from '../unit/volume/grids.ts';

const bin = fileURLToPath(new URL('../../server/bin/uncol.mjs', import.meta.url));

describe('command line as a process', () => {
  const home = mkdtempSync(join(tmpdir(), 'uncol-cli-'));
  after(() => rmSync(home, { recursive: true }));
  const runIn = (environment: Readonly<Record<string, string>>, ...parameters: string[]) =>
    spawnSync(process.execPath, [bin, ...parameters], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], UNCOL_HOME: home, ...environment },
    });
  const run = (...parameters: string[]) => runIn({}, ...parameters);

  it('wrong usage ends with 2, a failure with 1, both explained on stderr', () => {
    const usage = run('segment', 'folder');
    assert.deepEqual([usage.status, usage.stdout], [2, '']);
    assert.match(usage.stderr, /--out/);
    const failure = run('segment', join(home, 'nothing'), '--out', join(home, 'x.dcm'), '--json');
    assert.equal(failure.status, 1, failure.stderr);
    assert.equal(JSON.parse(failure.stdout).error.code, failure.stderr.split(':')[0]);
  });

  it('--json gives one object, also before anything was ever served', () => {
    const rounds = run('rounds', '--json');
    assert.equal(rounds.status, 0, rounds.stderr);
    assert.deepEqual(JSON.parse(rounds.stdout), { rounds: [] });
  });

  it('models gives a row a version, with the sha256 and the size of its weights', async () => {
    await makeModel(join(home, 'models'), { name: 'listed-mr', version: 2 });
    const card = JSON.parse(readFileSync(join(home, 'models/listed-mr/2/card.json'), 'utf8'));
    const { status, stdout, stderr } = run('models', '--json');
    assert.equal(status, 0, stderr);
    const rows: { name: string; inService: boolean }[] = JSON.parse(stdout);
    const { inferenceParameters } = card.architecture;
    assert.deepEqual(
      rows.filter(({ name }) => name === 'listed-mr'),
      [
        {
          name: 'listed-mr',
          version: 2,
          sha256: card.weights.sha256,
          dimension: 2,
          parameters: { inference: inferenceParameters, training: inferenceParameters },
          inService: false,
        },
      ],
    );
    assert.ok(
      rows.some(({ inService }) => inService),
      'the seeds serve',
    );
    assert.match(run('models').stdout, /listed-mr@2 /);
  });

  const profileIn = (stdout: string): string | undefined =>
    JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'pacs profile')?.found;

  it('doctor tries every engine, and says why the others are not there', () => {
    const unsigned = run('doctor');
    assert.equal(unsigned.status, 1);
    assert.match(unsigned.stdout + unsigned.stderr, /listed-mr@2.*is not signed; if you trust it, sign it/);
    assert.equal(run('sign', join(home, 'models', 'listed-mr', '2')).status, 0);
    const { status, stdout, stderr } = runIn({ UNCOL_ENGINE: 'onnx-cpu' }, 'doctor', '--json');
    assert.equal(status, 0, stderr);
    const { engines, checks } = JSON.parse(stdout);
    assert.match(checks[0].found, /^onnx-cpu \(UNCOL_ENGINE onnx-cpu\)/);
    assert.equal(profileIn(stdout), 'orthanc (Orthanc), by own PACS; tested');
    const names = engines.map(({ reading, device }: { reading: string; device: string }) => `${reading}-${device}`);
    assert.deepEqual(names.slice(0, 4), ['tfjs-cuda', 'onnx-cuda', 'onnx-webgpu', 'onnx-cpu']);
    assert.ok(names.includes('tfjs-wasm'), names.join(', '));
    for (const { ok, stepMs, maxRelativeDifference, reason } of engines) {
      if (ok) assert.ok(stepMs > 0 && maxRelativeDifference < 1e-4);
      else assert.ok(reason.length > 10 && !reason.includes('\n'));
    }
    const { stepMs, ...cpu } = engines[3];
    assert.ok(stepMs > 0);
    assert.deepEqual(cpu, { reading: 'onnx', device: 'cpu', ok: true, maxRelativeDifference: 0, reason: null });
    const dead = 'http://127.0.0.1:9/dicom-web';
    const refused = runIn({ UNCOL_ENGINE: 'onnx-none', UNCOL_PACS_URL: dead }, 'doctor', '--json');
    assert.equal(refused.status, 1);
    assert.match(JSON.parse(refused.stdout).checks[0].found, /^engine-unavailable: /);
    // Also where the PACS does not answer.
    const untested = 'untested with it: as documented';
    assert.equal(profileIn(refused.stdout), `generic (any PACS), by nothing else known; ${untested}`);
  });

  it('segment writes a SEG and says with --json what is in it', async () => {
    const { weights } = await makeModel(join(home, 'models'), { name: 'test-mr', version: 3 });
    const signed = run('sign', join(home, 'models', 'test-mr', '3'));
    assert.equal(signed.stdout, 'test-mr@3 is signed: this server may serve it.\n', signed.stderr);
    const { volume } = ballVolume(centredGrid([40, 44, 10], [2, 2.5, 3], axialDirection), [0, 0, 0], 12);
    const series = makeSeries(volume);
    const folder = await writeSeries(series.files);
    const out = join(home, 'made', 'ball.seg.dcm');
    const { status, stdout, stderr } = run('segment', folder, '--json', '--out', out, '--model', 'test-mr@3');
    assert.match(stderr, /^Engine onnx-/m);
    const refused = runIn(
      { UNCOL_ENGINE: 'onnx-none' },
      'segment',
      folder,
      '--json',
      '--out',
      out,
      '--model',
      'test-mr@3',
    );
    assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [1, 'engine-unavailable']);
    rmSync(folder, { recursive: true });
    assert.equal(status, 0, stderr);
    const { segments, uncertainty, timingsMs, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, {
      model: { name: 'test-mr', version: 3, sha256: weights.sha256 },
      series: series.seriesInstanceUid,
      missingSegments: [],
      isStrange: false,
    });
    assert.deepEqual(Object.keys(segments[0]), ['number', 'label', 'voxels', 'ml']);
    const [{ number, label, voxels, ml }, ...others] = segments;
    assert.deepEqual([number, label, others], [1, 'Brain', []]);
    assert.ok(Number.isInteger(voxels) && voxels > 0 && voxels <= 40 * 44 * 10);
    assert.ok(Math.abs(ml - (voxels * 2 * 2.5 * 3) / 1000) < 1e-9);
    assert.ok(uncertainty >= 0 && uncertainty <= 1);
    for (const stage of ['read', 'segment']) assert.ok(timingsMs[stage] >= 0, stage);

    const { DicomMessage, DicomMetaDictionary } = dcmjs.data;
    const seg = DicomMetaDictionary.naturalizeDataset(
      DicomMessage.readFile(new Uint8Array(readFileSync(out)).buffer).dict,
    );
    assert.equal(seg['SOPClassUID'], '1.2.840.10008.5.1.4.1.1.66.4');
    assert.equal(seg['StudyInstanceUID'], series.studyInstanceUid);
    const [referenced] = seg['ReferencedSeriesSequence'] as { SeriesInstanceUID: string }[];
    assert.equal(referenced?.SeriesInstanceUID, series.seriesInstanceUid);
    assert.deepEqual([seg['Rows'], seg['Columns']], [44, 40]);
    const [pixels] = seg['PixelData'] as ArrayBuffer[];
    const bits = [...new Uint8Array(pixels ?? assert.fail())].reduce((sum, byte) => sum + popCount(byte), 0);
    assert.equal(bits, voxels, 'as many voxels as the answer says');
  });
});

function popCount(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
