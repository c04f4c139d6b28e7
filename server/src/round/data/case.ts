import { createHash } from 'node:crypto';
import { AppError } from '../../errors/app-error.ts';
import type { Labelmap } from '../../labelmap/labelmap.ts';
import type { StudentInput } from '../../student/input.ts';
import type { LabelledSlice } from '../../uncol/feed.ts';
import { nearestVoxels } from '../../volume/nearest.ts';
import type { Volume } from '../../volume/volume.ts';
import { type LabelledVolume, labelVolume } from '../labelled-volume.ts';

/** An image of a site and its truth, still to be read. */
export interface OpenCase {
  /** Split and number, e.g. `labelled 3`: for messages, figures and reports. Says nothing of the patient. */
  readonly name: string;
  /** {@link hashPatient}: equal for the cases of one patient. */
  readonly patient: string;
  /** Whether it is still there, without reading it. @throws AppError `case-unreadable` */
  look(): Promise<void>;
  /** @throws AppError with the case's name in its message */
  read(): Promise<{ readonly image: Volume; readonly truth: Labelmap }>;
}

/** What tells patients apart within a run without being who they are. Not for writing down: it is not keyed. */
export function hashPatient(patient: string): string {
  return createHash('sha256').update(`patient\0${patient.trim()}`).digest('hex').slice(0, 32);
}

/** Work on a case: an error that comes out of it says in which case, and keeps its code. */
export async function inCase<T>(name: string, part: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // Not the hint of a stopped run.
    if (error.code === 'job-cancelled') throw error;
    throw new AppError(error.code, `Case ${name}, ${part}: ${error.message}`, error.detail, { cause: error });
  }
}

/**
 * A case as the student would meet it, every slice vouched for as far as image and truth both reach.
 *
 * @throws AppError `truth-elsewhere`: image and truth do not overlap in space; `series-no-contrast`
 */
export function prepareCase(image: Volume, truth: Labelmap, input: StudentInput): LabelledVolume {
  const volume = labelVolume(image, truth, input);
  const { grid, label, known } = volume;
  const ofImage = nearestVoxels(image.geometry, grid);
  for (let k = 0, first = 0; k < grid.size[2]; k++, first += grid.size[0] * grid.size[1]) {
    for (const [n, voxel] of ofImage(k).entries()) {
      if (voxel >= 0) continue;
      label[first + n] = 0;
      known[first + n] = 0;
    }
  }
  if (!known.includes(1)) throw new AppError('truth-elsewhere', 'Image and truth do not overlap in space.');
  return volume;
}

/** sha256 over the voxels of slices, in their order. */
export function hashSlices(slices: readonly LabelledSlice[]): string {
  const hash = createHash('sha256');
  for (const { image, label, known } of slices) {
    hash
      .update(new Uint8Array(image.buffer, image.byteOffset, image.byteLength))
      .update(label)
      .update(known);
  }
  return hash.digest('hex');
}
