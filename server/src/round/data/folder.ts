import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import { readSeriesFromFolder } from '../../study/series.ts';
import type { Volume } from '../../volume/volume.ts';
import { hashPatient, inCase, type OpenCase } from './case.ts';
import { readNiftiFile } from './nifti.ts';
import type { FolderSource } from './sources.ts';
import { readTruth, type TruthImage, type Wanted } from './truth.ts';

/** What reading the cases of a folder needs to know. */
export interface FolderReading {
  /** Names the split. */
  readonly split: string;
  /** Of the card. */
  readonly segments: Wanted['segments'];
  readonly maxVoxels: number;
  readonly signal?: AbortSignal | undefined;
}

/** The cases of a folder; nothing is read yet. */
export function openFolder(source: FolderSource, reading: FolderReading): readonly OpenCase[] {
  const { split, segments, maxVoxels } = reading;
  const wanted: Wanted = { segments, mapping: source.segments };
  return source.cases.map(({ image, truth, patient }, n) => {
    const name = `${split} ${n + 1}`;
    return {
      name,
      patient: hashPatient(patient),
      async look() {
        await inCase(name, 'image', () => lookFor(resolve(source.path, image)));
        await inCase(name, 'truth', () => lookFor(resolve(source.path, truth)));
      },
      async read() {
        const { volume, frame } = await inCase(name, 'image', () => readImage(resolve(source.path, image), reading));
        const labels = await inCase(name, 'truth', async () =>
          readTruth(await readWhole(resolve(source.path, truth)), frame, wanted, maxVoxels),
        );
        return { image: volume, truth: labels };
      },
    };
  });
}

async function readImage(
  path: string,
  { maxVoxels, signal }: FolderReading,
): Promise<{ readonly volume: Volume; readonly frame: TruthImage }> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    const volume = readNiftiFile(await readWhole(path), maxVoxels);
    return { volume, frame: volume };
  }
  const { volume, frameOfReferenceUid } = await readSeriesFromFolder(path, {
    maxVoxels,
    ...(signal ? { signal } : {}),
  });
  return { volume, frame: { geometry: volume.geometry, frameOfReferenceUid } };
}

async function lookFor(path: string): Promise<void> {
  await stat(path).catch(refuse);
}

async function readWhole(path: string): Promise<Uint8Array> {
  return readFile(path).catch(refuse);
}

/** The path may hold a patient's name, so it stays out of the message. */
function refuse(cause: NodeJS.ErrnoException): never {
  const reasons: Readonly<Record<string, string>> = { ENOENT: 'is not there', EISDIR: 'is a folder' };
  throw new AppError('case-unreadable', `The file ${reasons[cause.code ?? ''] ?? 'cannot be read'}.`, {}, { cause });
}
