import { readFile } from 'node:fs/promises';
import { AppError } from '../errors/app-error.ts';
import { type AssembleOptions, assembleSeries, type SeriesFiles } from './assemble.ts';
import { type FolderSeries, listSeries } from './folder.ts';
import type { Pacs } from './pacs.ts';
import { expectSeries, type RetrieveOptions, retrieveSeries } from './retrieve.ts';
import type { SourceSeries } from './source-series.ts';
import type { VolumeAddress } from './volume-address.ts';

/** Modalities of objects that never hold an image volume. */
const resultModalities: ReadonlySet<string> = new Set(['SEG', 'SR', 'PR', 'KO', 'RTSTRUCT', 'RTPLAN', 'RTDOSE', 'REG']);

/**
 * A volume from a PACS: retrieved as stored, decoded as it arrives, checked and sorted.
 *
 * @param options.onProgress instances and bytes while they arrive.
 * @param options.maxVoxels largest volume accepted.
 * @throws AppError those of {@link expectSeries}, {@link retrieveSeries} and {@link assembleSeries}
 */
export async function readSeriesFromPacs(
  pacs: Pacs,
  { studyInstanceUid, seriesInstanceUid, volume }: VolumeAddress,
  options: RetrieveOptions,
): Promise<SourceSeries> {
  const expected = await expectSeries(pacs, { studyInstanceUid, seriesInstanceUid }, options.signal);
  const files: SeriesFiles = {
    length: expected.instances,
    isDistinct: true,
    [Symbol.asyncIterator]: () => retrieveSeries(pacs, expected, options),
  };
  return assembleSeries(files, { ...options, volume });
}

/**
 * A series from a folder of DICOM files (searched with its subfolders).
 *
 * @param options.seriesInstanceUid needed when the folder holds several image series.
 * @param options.maxVoxels largest volume accepted.
 * @throws AppError `series-not-found`, `request-invalid` (several series and none named), and those of
 *   {@link assembleSeries}
 */
export async function readSeriesFromFolder(
  folder: string,
  options: AssembleOptions & { readonly seriesInstanceUid?: string },
): Promise<SourceSeries> {
  const { series, unreadable } = await listSeries(folder);
  const chosen = chooseSeries(series, options.seriesInstanceUid);
  if (unreadable > 0) {
    throw new AppError('instance-unreadable', `${unreadable} DICOM files of the folder are cut off or damaged.`, {
      unreadable,
    });
  }
  const { files: paths } = chosen;
  const files: SeriesFiles = {
    length: paths.length,
    async *[Symbol.asyncIterator]() {
      for (const path of paths) {
        options.signal?.throwIfAborted();
        yield await readFile(path);
      }
    },
  };
  return assembleSeries(files, options);
}

function chooseSeries(series: readonly FolderSeries[], wanted: string | undefined): FolderSeries {
  if (wanted !== undefined) {
    const named = series.find(({ seriesInstanceUid }) => seriesInstanceUid === wanted);
    if (named) return named;
    throw new AppError('series-not-found', `The folder holds ${series.length} series, but not the one named.`, {
      seriesInstanceUid: wanted,
    });
  }
  const images = series.filter(({ modality }) => !resultModalities.has(modality));
  const [only] = images.length > 0 ? images : series;
  if (only === undefined) throw new AppError('series-not-found', 'The folder holds no DICOM files.', {});
  if (images.length > 1) {
    const uids = images.map(({ seriesInstanceUid }) => seriesInstanceUid);
    throw new AppError('request-invalid', `The folder holds ${images.length} image series; name one of them.`, {
      series: uids,
    });
  }
  return only;
}
