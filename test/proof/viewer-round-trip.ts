import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeSegments } from '../../server/src/seg/place.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import type { Pacs } from '../../server/src/study/pacs.ts';
import { indexToPatient } from '../../server/src/volume/geometry.ts';
import { loadSeg } from '../e2e/reader-work.ts';
import type { ViewerSite } from '../e2e/site.ts';
import type { MaskBySlice } from '../e2e/truth.ts';
import type { ViewerPage } from '../e2e/viewer-page.ts';
import { readMany } from './round-trip.ts';
import { drawCase, type ViewerCase } from './viewer-cases.ts';

/** Its six segments take any mask of a case. */
const model = 'brain-parts-mr';

/** What came of so many masks. */
export interface ViewerRoundTrip {
  readonly cases: number;
  /** Voxels that the viewer shows otherwise than our writer wrote them, over all. */
  readonly wrongLoaded: number;
  /** Voxels of the SEGs that the server stored for the corrections, seen otherwise by our reader. */
  readonly wrongStored: number;
  /** Of these SEGs, those whose labels pydicom sees otherwise. */
  readonly wrongStoredForPydicom: number;
  /** Of the SEGs that the viewer itself saved, the same. */
  readonly wrongSavedForPydicom: number;
  /** Trips that did not come to their end, and why; and faults that the page reported. */
  readonly faults: readonly string[];
}

/**
 * Sends random masks on random series through the viewer: our SEG into the PACS, loaded in stock OHIF, from there both
 * saved by OHIF itself and handed in through our panel as the correction of a model's mask, and what was stored read back.
 */
export async function viewerRoundTrip(
  { pacs, viewer }: ViewerSite,
  seed: number,
  cases: number,
  tell: (done: number) => void,
): Promise<ViewerRoundTrip> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-viewer-trip-'));
  const faults: string[] = [];
  let [wrongLoaded, wrongStored, wrongStoredForPydicom, wrongSavedForPydicom] = [0, 0, 0, 0];
  try {
    for (let n = 0; n < cases; n++) {
      const one = drawCase(seed, n);
      try {
        const loaded = await load(pacs, viewer, one, n === 0);
        wrongLoaded += countWrong(labelsOn(one, loaded), one.labels);
        const saved = join(folder, `${n}-saved.dcm`);
        // OHIF refuses to save while a slice is on its way.
        await viewer.fetchAllSlices();
        await viewer.waitForAllSlices();
        await viewer.saveMask(saved);
        await handIn(viewer, loaded);
        const bytes = await findStored(pacs, one);
        wrongStored += countWrong(place(one, bytes), one.labels);
        const stored = join(folder, `${n}-stored.dcm`);
        await writeFile(stored, bytes);
        const [ofStored, ofSaved] = await differsForPydicom(one, [stored, saved]);
        wrongStoredForPydicom += Number(ofStored);
        wrongSavedForPydicom += Number(ofSaved);
      } catch (error) {
        faults.push(`${one.label}: ${error instanceof Error ? error.message : error}`);
      }
      faults.push(...viewer.faults.splice(0).map((fault) => `${one.label}: ${fault}`));
      tell(n + 1);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { cases, wrongLoaded, wrongStored, wrongStoredForPydicom, wrongSavedForPydicom, faults };
}

async function load(pacs: Pacs, viewer: ViewerPage, one: ViewerCase, isFirst: boolean): Promise<MaskBySlice> {
  for (const file of [...one.files, one.seg]) await pacs.store(file);
  if (isFirst) await viewer.openStudy(one.studyInstanceUid);
  else await viewer.openStudyInPlace(one.studyInstanceUid);
  await loadSeg(viewer);
  return viewer.readMask();
}

/** The loaded mask put on the model's own, every slice vouched for, and submitted. */
async function handIn(viewer: ViewerPage, mask: MaskBySlice): Promise<void> {
  await viewer.showPanel();
  await viewer.chooseModel(model);
  await viewer.drawMask();
  await viewer.writeMask(mask);
  await viewer.panel.getByLabel(/^I checked every slice/).check();
  await viewer.press(/^Submit correction/);
  await viewer.panel.locator('[data-testid="receipt"][data-state="stored"]').waitFor();
}

/** The SEG of the study that is not the one we stored ourselves. */
async function findStored(pacs: Pacs, { studyInstanceUid, segSeriesUid }: ViewerCase): Promise<Uint8Array> {
  const found = await pacs.searchSeries({ studyInstanceUid, modality: 'SEG' });
  const others = found.filter(({ seriesInstanceUid }) => seriesInstanceUid !== segSeriesUid);
  const [stored] = others;
  if (stored === undefined || others.length > 1) throw new Error(`${others.length} SEGs were stored`);
  for await (const file of pacs.retrieve(stored)) return file;
  throw new Error('the PACS does not give the stored SEG');
}

function place({ geometry }: ViewerCase, seg: Uint8Array): Uint8Array {
  const object = readSeg(seg);
  const classes = new Map(object.segments.map(({ number }) => [number, number]));
  return placeSegments(object, { classes, image: geometry, maxVoxels: 1e7 });
}

/** `[slice, row, column]` in the order of the case; a slice that the viewer does not show counts as wrong throughout. */
function labelsOn({ slices, labels, geometry }: ViewerCase, mask: MaskBySlice): Uint8Array {
  const pixels = geometry.size[0] * geometry.size[1];
  const placed = new Uint8Array(labels.length).fill(255);
  slices.forEach((id, k) => {
    const slice = mask.get(id);
    if (slice?.length === pixels) placed.set(slice, k * pixels);
  });
  return placed;
}

function countWrong(seen: Uint8Array, labels: Uint8Array): number {
  return labels.reduce((wrong, label, at) => wrong + Number(label !== seen[at]), 0);
}

async function differsForPydicom(
  { slices, geometry, labels }: ViewerCase,
  paths: readonly string[],
): Promise<readonly boolean[]> {
  const positions = slices.map((_, k) => indexToPatient(geometry, [0, 0, k]));
  const seen = await readMany(paths.map((path) => JSON.stringify({ path, slices, positions })));
  const sha256 = createHash('sha256').update(labels).digest('hex');
  return seen.map((one) => one.sha256 !== sha256 || one.offMm > 1e-3);
}
