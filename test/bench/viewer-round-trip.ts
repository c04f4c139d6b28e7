import { findChromium } from '../e2e/harness.ts';
import { openSite } from '../e2e/site.ts';
import { viewerRoundTrip } from '../proof/viewer-round-trip.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';

const seeds = 4;
const casesOfSeed = 50;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const chromium = findChromium();
  if (chromium.skip) throw new Error(chromium.skip);
  const rows: Row[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const site = await openSite(chromium.path);
    try {
      const started = performance.now();
      const { faults, ...counts } = await viewerRoundTrip(site, seed, casesOfSeed, (done) => {
        if (done % 10 === 0) tell(`seed ${seed}: ${done} of ${casesOfSeed}`);
      });
      for (const fault of faults) tell(fault);
      const seconds = Math.round((performance.now() - started) / 1000);
      rows.push({ seed, ...counts, faults: faults.length, seconds });
    } finally {
      await site.close();
    }
  }
  return rows;
}

const columns = [
  ['seed', 'seed'],
  ['cases', 'masks'],
  ['wrongLoaded', '**wrong voxels, loaded in OHIF**'],
  ['wrongStored', '**wrong voxels, stored as a correction, our reader**'],
  ['wrongStoredForPydicom', '**wrong masks, the same, pydicom**'],
  ['wrongSavedForPydicom', '**wrong masks, saved by OHIF, pydicom**'],
  ['faults', 'trips without an end, faults of the page'],
  ['seconds', 'seconds'],
] as const;

function report(rows: readonly Row[]): string {
  const lines = rows.map((row) => columns.map(([key]) => String(row[key])));
  const sum = (key: string) => numbersOf(rows, key).reduce((total, value) => total + value, 0);
  const wrong = sum('wrongLoaded') + sum('wrongStored');
  const masks = sum('wrongStoredForPydicom') + sum('wrongSavedForPydicom');
  return `${table(
    columns.map(([, head]) => head),
    lines,
  )}\n\n${sum('cases')} masks: ${wrong} wrong voxels in OHIF and for our reader, ${masks} wrong masks for pydicom, ${sum('faults')} faults.`;
}

/** Whether masks survive the viewer. */
export const viewerRoundTrips: Bench = {
  name: 'viewer-round-trip',
  title: 'Masks through the viewer and back',
  about:
    'Random masks of one to six segments, any of which may be empty, on random series (axial, sagittal, coronal, oblique and double-oblique of either handedness, square and other pixels of 0.3 to 2 mm, slices 0.5 to 6 mm apart, 5 to 64 pixels a side, 3 to 40 slices, signed and unsigned, instance numbers and files in any order; three of ten as frames of one object). Our SEG is stored in Orthanc and loaded in stock OHIF 3.13.2 in Chromium, by double click as a reader does. From there OHIF saves it itself (LABELMAP, RLE), and it is handed in through the panel as the correction of a model’s mask, whose SEG the server stores. One page opens study after study in place.',
  run,
  report,
};
