import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { AppError } from '../errors/app-error.ts';
import { createSegmenter } from '../jobs/segmenter.ts';
import { writeNifti } from '../labelmap/nifti.ts';
import { writeNrrd } from '../labelmap/nrrd.ts';
import { fittingVersions } from '../registry/choose.ts';
import { createRegistry, type ListedVersion, type Registry, seedFolder } from '../registry/registry.ts';
import { openSigningKey } from '../registry/signature.ts';
import { isEncodable, type SegType } from '../seg/encoding.ts';
import { createUid } from '../seg/uid.ts';
import {
  type FractionalRequest,
  type SegRequest,
  type WrittenSeg,
  writeFractionalSeg,
  writeSeg,
} from '../seg/write.ts';
import { readSeriesFromFolder, readSeriesFromPacs } from '../study/series.ts';
import type { SourceSeries } from '../study/source-series.ts';
import { openForCommand } from './engine.ts';
import type { SegmentArguments } from './index.ts';
import { interruption, type Outcome } from './output.ts';
import { openPacs } from './pacs.ts';

/** Series number of the SEG: behind those of the images. */
const seriesNumber = 9000;

/** Of the DICOM files among the formats. */
const segTypes = {
  'dicom-seg': 'BINARY',
  'dicom-labelmap': 'LABELMAP',
  'dicom-fractional': 'FRACTIONAL',
  nifti: undefined,
  nrrd: undefined,
} as const satisfies Record<SegmentArguments['format'], SegType | undefined>;

type Written = Pick<SegRequest, 'source' | 'labelmap' | 'model'> & Pick<FractionalRequest, 'probabilitiesOf'>;

/** Segments one series without database or server and writes the mask; the highest seed version serves. */
export async function runSegment(options: SegmentArguments & { readonly source: string }): Promise<Outcome> {
  const { format, pixels } = options;
  const type = segTypes[format];
  if (type ? !isEncodable(type, pixels) : pixels !== 'native') {
    throw new AppError('request-invalid', `A file of format ${format} has no pixels of encoding ${pixels}.`);
  }
  const settings = loadSettings();
  const signal = interruption('Stopping ...');
  const registry = createRegistry({
    signingKey: openSigningKey(settings),
    seedFolder: fileURLToPath(seedFolder),
    serviceFolder: join(settings.home, 'models'),
    aliases: async () => new Map(),
  });
  const started = performance.now();
  const series = await readSource(options, settings, signal);
  const readMs = Math.round(performance.now() - started);
  const model = options.model ? await registry.resolve(options.model) : await firstFitting(registry, series);
  const segmenter = createSegmenter(openForCommand(settings));
  const { labelmap, probabilitiesOf, result } = await segmenter.segment(series, model, { signal });
  await segmenter.close();
  const reference = { name: model.card.name, version: model.card.version, sha256: model.card.weights.sha256 };
  const { bytes, notes } = write(options, { source: series, labelmap, probabilitiesOf, model: reference });
  await writeWhole(options.out, bytes);
  const segments = result.segments.map(({ number, label, voxels, ml }) => ({ number, label, voxels, ml }));
  const timingsMs = { read: readMs, ...result.timingsMs };
  for (const note of new Set([...result.notes, ...notes])) process.stderr.write(`Note: ${note}\n`);
  return {
    json: {
      model: reference,
      series: series.seriesInstanceUid,
      segments,
      missingSegments: result.missingSegments,
      isStrange: result.isStrange,
      uncertainty: result.uncertainty,
      timingsMs,
    },
    lines: [
      `${reference.name}@${reference.version}: AI-generated, for research.`,
      ...segments.map(
        ({ number, label, ml, voxels }) => `  ${number} ${label}: ${ml.toFixed(1)} ml (${voxels} voxels)`,
      ),
      ...segments
        .filter(({ number }) => result.missingSegments?.includes(number))
        .map(({ label }) => `  ${label} was not found, though every series that fits shows it: do not trust this mask`),
      ...(result.isStrange
        ? [`  the image looks unlike those that ${reference.name} was made for: do not trust this mask`]
        : []),
      `  uncertainty ${result.uncertainty.toFixed(3)} (0 sure .. 1 unsure)`,
      `Written: ${options.out}`,
    ],
  };
}

function write(
  { format, pixels }: Pick<SegmentArguments, 'format' | 'pixels'>,
  { source, labelmap, probabilitiesOf, model }: Written,
): WrittenSeg {
  const isUneven = labelmap.geometry.sliceSteps !== undefined;
  const notes = isUneven
    ? ['The file knows even steps only: each of its slices shows the nearest one of the series.']
    : [];
  if (format === 'nifti') return { bytes: writeNifti(labelmap), notes };
  if (format === 'nrrd') return { bytes: writeNrrd(labelmap), notes };
  const making = {
    source,
    model,
    algorithmType: 'AUTOMATIC',
    sopInstanceUid: createUid(),
    seriesInstanceUid: createUid(),
    seriesNumber,
    createdAt: new Date(),
    trackingUid: createUid(),
  } as const;
  const type = segTypes[format];
  if (type !== 'FRACTIONAL') return writeSeg({ ...making, labelmap, encoding: { type, pixels } });
  const { geometry, segments } = labelmap;
  return writeFractionalSeg({ ...making, geometry, segments, probabilitiesOf, pixels });
}

async function readSource(
  { source, series: seriesInstanceUid, volume }: SegmentArguments & { readonly source: string },
  settings: Settings,
  signal: AbortSignal,
): Promise<SourceSeries> {
  const { maxVoxels } = settings;
  if (!/^https?:\/\//.test(source)) {
    const named = seriesInstanceUid ? { seriesInstanceUid } : {};
    return readSeriesFromFolder(source, { maxVoxels, signal, volume, ...named });
  }
  const parts = /^(.+)\/studies\/([\d.]+)\/series\/([\d.]+)\/?$/.exec(source);
  const [, url, study, series] = parts ?? [];
  if (!url || !study || !series) {
    throw new AppError('request-invalid', 'A DICOMweb series ends in /studies/<uid>/series/<uid>.');
  }
  const pacs = await openPacs(settings, url);
  try {
    const address = { studyInstanceUid: study, seriesInstanceUid: series, volume: volume ?? '' };
    return await readSeriesFromPacs(pacs, address, { maxVoxels, signal });
  } finally {
    await pacs.close();
  }
}

async function firstFitting(registry: Registry, series: SourceSeries): Promise<ListedVersion> {
  const versions = await registry.list();
  const [fitting] = fittingVersions(versions, { modality: series.modality, bodyPart: '' });
  if (fitting) return fitting;
  const known = versions.map(({ card }) => `${card.name} (${card.filter.modality.join(', ')})`);
  throw new AppError(
    versions.length === 0 ? 'model-not-found' : 'series-modality-mismatch',
    `No model fits a series of modality ${series.modality || 'unknown'}; there is ${known.join(', ') || 'none'}.`,
  );
}

/** The file is whole or not there: a stopped command leaves no half of it. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.part`;
  await writeFile(draft, bytes);
  await rename(draft, path);
}
