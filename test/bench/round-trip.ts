import { roundTrip } from '../proof/round-trip.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';

const seeds = 5;
const casesOfSeed = 2000;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const started = performance.now();
    const result = await roundTrip(seed, casesOfSeed, (done) => tell(`seed ${seed}: ${done} of ${casesOfSeed}`));
    rows.push({ seed, ...result, seconds: Math.round((performance.now() - started) / 1000) });
  }
  return rows;
}

function report(rows: readonly Row[]): string {
  const keys = ['seed', 'cases', 'wrongVoxels', 'wrongForPydicom', 'offMm'] as const;
  const head = [
    'seed',
    'masks',
    '**wrong voxels, our reader**',
    '**wrong masks, pydicom**',
    'farthest frame from its slice, mm',
  ];
  const sum = (key: string) => numbersOf(rows, key).reduce((total, value) => total + value, 0);
  const lines = rows.map((row) =>
    keys.map((key) => (key === 'offMm' ? Number(row[key]).toExponential(1) : String(row[key]))),
  );
  return `${table(head, lines)}\n\n${sum('cases').toLocaleString('en')} masks: ${sum('wrongVoxels')} wrong voxels for our reader, ${sum('wrongForPydicom')} wrong masks for pydicom.`;
}

/** Whether what is written is what is read. */
export const roundTrips: Bench = {
  name: 'round-trip',
  title: 'Masks there and back',
  about:
    'Random masks of one to five segments on random grids (any orientation and handedness, spacings of 0.3 to 6 mm, 3 to 40 pixels a side, 3 to 16 slices; three of ten lean by up to 30 degrees, three of ten lie on frames of multi-frame objects), written as BINARY SEG. Read back by our reader, and by pydicom, which puts frames on their source slices by what they refer to and compares positions.',
  run,
  report,
};
