import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Segment } from '../../server/src/labelmap/labelmap.ts';
import { deriveUid } from '../../server/src/seg/uid.ts';
import { writeSeg } from '../../server/src/seg/write.ts';
import { createGeometry, type Vec3 } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { findChromium } from '../e2e/harness.ts';
import { openSite, type ViewerSite } from '../e2e/site.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { randomSegRequest, threeSegments } from '../fixtures/seg-request.ts';
import type { Bench, Row } from './record.ts';
import { spreadTable } from './spread.ts';

const pairs = 5;
const size: Vec3 = [512, 512, 300];
const segmentCount = 118;

/** The same mask in two kinds by our writer, told apart by the model's name. */
const ours = [
  { key: 'ours', model: 'binary-mr', type: 'BINARY', pixels: 'native' },
  { key: 'oursLabelmap', model: 'labelmap-mr', type: 'LABELMAP', pixels: 'rle' },
] as const;

/** And in two by OHIF. It writes LABELMAP with RLE unless it is told otherwise. */
const theirs = [
  {
    key: 'ohif',
    description: 'OHIF LABELMAP',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.66.7',
    syntax: '1.2.840.10008.1.2.5',
  },
  {
    key: 'ohifBinary',
    description: 'OHIF BINARY',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.66.4',
    syntax: '1.2.840.10008.1.2.1',
  },
] as const;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const chromium = findChromium();
  if (chromium.skip) throw new Error(chromium.skip);
  const site = await openSite(chromium.path);
  try {
    tell('storing the series and the SEG of ours');
    const study = await storeStudy(site);
    const megabytes: Record<string, number> = study.megabytes;
    await openWhole(site, study.studyInstanceUid);
    await load(site, ours[0].model);
    await site.viewer.page.waitForFunction('cornerstoneTools.segmentation.state.getSegmentations().length > 0');
    for (const kind of theirs) {
      tell(`having OHIF write: ${kind.description}`);
      megabytes[kind.key] = await saveAndStore(site, kind);
    }
    const kinds = [...ours.map(({ key, model }) => ({ key, description: model })), ...theirs];
    const rows: Row[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      const row: Record<string, number> = { pair };
      for (const { key, description } of kinds) {
        await openWhole(site, study.studyInstanceUid);
        row[`${key}Ms`] = Math.round(await load(site, description));
      }
      for (const { key } of kinds) row[`${key}Megabytes`] = megabytes[key] ?? 0;
      tell(JSON.stringify(row));
      rows.push(row);
    }
    return rows;
  } finally {
    await site.close();
  }
}

/** A CT of noise, and our SEGs of a mask of blocks on it. */
async function storeStudy({ pacs }: ViewerSite) {
  const direction = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ] as const;
  const geometry = createGeometry({ size, spacingMm: [0.8, 0.8, 1.5], origin: [0, 0, 0], direction });
  const noise = new Int16Array(size[0] * size[1] * size[2]);
  for (let n = 0; n < noise.length; n++) noise[n] = ((n * 7919) % 1009) - 500;
  const frameOfReferenceUid = deriveUid('seg load', 1);
  const patient = { PatientID: 'LOAD-1', PatientName: 'SEG^LOAD', FrameOfReferenceUID: frameOfReferenceUid };
  const series = makeSeries(createVolume(noise, geometry), { modality: 'CT', attributes: () => patient });
  for (const file of series.files) await pacs.store(file);
  const like = randomSegRequest(1, [3, 3, 3]);
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUids } = series;
  const source = {
    ...like.source,
    ...{ studyInstanceUid, seriesInstanceUid, frameOfReferenceUid },
    instances: sopInstanceUids.map((sopInstanceUid) => ({
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      sopInstanceUid,
    })),
    header: { ...like.source.header, PatientID: patient.PatientID, PatientName: patient.PatientName },
  };
  const labelmap = { data: drawBlocks(), geometry, segments: segments() };
  const megabytes: Record<string, number> = {};
  for (const { key, model: name, type, pixels } of ours) {
    const [sopInstance, segSeries] = [1, 2].map((n) => deriveUid('seg load', key, n));
    const { bytes } = writeSeg({
      ...{ ...like, source, labelmap, encoding: { type, pixels }, model: { ...like.model, name } },
      ...{ sopInstanceUid: sopInstance!, seriesInstanceUid: segSeries! },
    });
    await pacs.store(bytes);
    megabytes[key] = Math.round(bytes.length / 1e6);
  }
  return { studyInstanceUid, megabytes };
}

/** Boxes beside each other, each through forty slices. */
function drawBlocks(): Uint8Array {
  const [columns, rows, slices] = size;
  const data = new Uint8Array(columns * rows * slices);
  for (let segment = 1; segment <= segmentCount; segment++) {
    const x = 40 * ((segment - 1) % 12);
    const y = 40 * (Math.floor((segment - 1) / 12) % 12);
    const z = (segment * 2) % (slices - 40);
    for (let k = z; k < z + 40; k++) {
      for (let j = y; j < y + 36; j++) {
        const first = (k * rows + j) * columns + x;
        data.fill(segment, first, first + 36);
      }
    }
  }
  return data;
}

function segments(): readonly Segment[] {
  return Array.from({ length: segmentCount }, (_, n) => {
    const like = threeSegments[n % 2];
    if (!like) throw new RangeError('no segment');
    return { ...like, number: n + 1, label: `segment ${n + 1}` };
  });
}

/** Opens the study in a fresh page and waits until all slices are there. */
async function openWhole({ viewer }: ViewerSite, studyInstanceUid: string): Promise<void> {
  await viewer.openStudy(studyInstanceUid);
  await viewer.waitForAllSlices(300_000);
}

/** From the double click on the row of a SEG until OHIF shows it and asks whether to open it for editing, milliseconds. */
async function load({ viewer }: ViewerSite, description: string): Promise<number> {
  const { page } = viewer;
  const row = page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter({ hasText: description });
  await row.waitFor();
  const started = performance.now();
  await row.dblclick();
  await page.getByRole('button', { name: 'Yes', exact: true }).waitFor({ timeout: 600_000 });
  const ms = performance.now() - started;
  await page.getByRole('button', { name: 'Yes', exact: true }).click();
  return ms;
}

/** Has OHIF write the loaded segmentation, and stores it in the study. @returns its size, megabytes. */
async function saveAndStore({ viewer, pacs }: ViewerSite, kind: (typeof theirs)[number]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-ohif-seg-'));
  try {
    const saved = viewer.page.waitForEvent('download', { timeout: 600_000 });
    const { description: SeriesDescription, sopClassUid: sopClassUID, syntax: transferSyntaxUID } = kind;
    const options = { SeriesDescription, sopClassUID, transferSyntaxUID, transferSyntaxUid: transferSyntaxUID };
    await viewer.page.evaluate(`(async () => {
      const { segmentationId } = cornerstoneTools.segmentation.state.getSegmentations().at(-1);
      const given = { segmentationId, options: ${JSON.stringify(options)} };
      const { dataset } = commandsManager.run('generateSegmentation', given, 'SEGMENTATION');
      await commandsManager.run('createStoreFunction', { dataSource: 'download', defaultFileName: 'seg.dcm' })(dataset);
    })()`);
    const path = join(folder, 'seg.dcm');
    await (await saved).saveAs(path);
    const file = await readFile(path);
    await pacs.store(file);
    return Math.round(file.length / 1e6);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function report(rows: readonly Row[]): string {
  const [megabytes] = rows;
  const of = (key: string) => `${megabytes?.[`${key}Megabytes`]} MB`;
  return spreadTable(rows, [
    ['oursMs', `**ours, BINARY, ${of('ours')}, ms**`],
    ['oursLabelmapMs', `ours, LABELMAP with RLE, ${of('oursLabelmap')}, ms`],
    ['ohifMs', `by OHIF as it does by itself, LABELMAP with RLE, ${of('ohif')}, ms`],
    ['ohifBinaryMs', `by OHIF as BINARY, ${of('ohifBinary')}, ms`],
  ]);
}

/** How long a reader waits for a SEG of many segments. */
export const viewerSegLoad: Bench = {
  name: 'viewer-seg-load',
  title: 'A SEG of 118 segments in the viewer',
  about: `Stock OHIF 3.13.2 in headless Chromium (software rendering) on the machine that also runs server, PACS and database. A CT of ${size.join(' x ')} noise, wholly in memory; ${segmentCount} boxes of 36 x 36 pixels and forty slices, written by our writer in two kinds, loaded, and written again by OHIF. Each is loaded in a fresh page, in turns; time runs from the double click on its row until OHIF has it and asks whether to open it for editing.`,
  run,
  report,
};
