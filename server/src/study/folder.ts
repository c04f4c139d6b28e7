import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { readText } from './header.ts';
import { isPart10, parsePart10 } from './part10.ts';

/** A series found in a folder. */
export interface FolderSeries {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
  /** As written in the objects; may hold patient data, so it is for the user's own terminal only. */
  readonly description: string;
  /** DICOM files of the series. */
  readonly files: readonly string[];
}

/** The content of a folder. */
export interface FolderContent {
  readonly series: readonly FolderSeries[];
  /** Files that look like DICOM and cannot be parsed up to their pixels. */
  readonly unreadable: number;
}

const mediaDirectoryClass = '1.2.840.10008.1.3.10';

/**
 * All series below a folder, by SeriesInstanceUID. Files without the DICOM prefix and DICOMDIR are passed over.
 *
 * @throws AppError `request-invalid`: the folder cannot be read.
 */
export async function listSeries(folder: string): Promise<FolderContent> {
  const found = new Map<string, { -readonly [K in keyof FolderSeries]: FolderSeries[K] } & { files: string[] }>();
  let unreadable = 0;
  for (const path of await listFiles(folder)) {
    const bytes = await readFile(path);
    if (!isPart10(bytes)) continue;
    try {
      const dataSet = parsePart10(bytes, 'A file', true);
      if (dataSet.string('x00020002') === mediaDirectoryClass) continue;
      const seriesInstanceUid = dataSet.string('x0020000e') ?? '';
      const known = found.get(seriesInstanceUid);
      if (known) known.files.push(path);
      else {
        found.set(seriesInstanceUid, {
          studyInstanceUid: dataSet.string('x0020000d') ?? '',
          seriesInstanceUid,
          modality: dataSet.string('x00080060') ?? '',
          description: readText(dataSet, 'x0008103e') ?? '',
          files: [path],
        });
      }
    } catch {
      unreadable++;
    }
  }
  return { series: [...found.values()], unreadable };
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (cause) {
    throw new AppError('request-invalid', 'The source folder cannot be read.', {}, { cause });
  }
}
