import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../errors/app-error.ts';
import { createFrameDecoder, type FrameDecoder } from './frame-decoder.ts';
import { readHeader } from './header.ts';
import { type ImageObject, readImageObjects } from './image-object.ts';
import { decodeSlice, type StoredSlice } from './pixel-data.ts';
import { noteResampling } from './resampling.ts';
import { rescale } from './rescale.ts';
import { chooseVolume } from './several-volumes.ts';
import { checkSameKind, gridOf, type PlacedImage, sortAlongNormal } from './slice-order.ts';
import type { SourceSeries } from './source-series.ts';
import { tolerance } from './tolerance.ts';

/** What bounds and stops an assembly. */
export interface AssembleOptions {
  /** Largest volume accepted, voxels. */
  readonly maxVoxels: number;
  /** Which, where the series holds several: as the refusal `series-several-volumes` names them. */
  readonly volume?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The DICOM files of one series as a checked, sorted, decoded volume.
 *
 * @param files Part 10 files of one series, any order.
 * @throws AppError `series-not-image`, `series-too-few-slices`, `series-mixed-geometry`, `series-missing-slices`,
 *   `series-several-volumes`, `series-duplicate-slices`, `series-uneven-spacing`, `series-tilted`, `series-no-contrast`, `series-not-writable`,
 *   `instance-unreadable`, `transfer-syntax-unsupported`, `image-too-large`
 */
export async function assembleSeries(files: readonly Uint8Array[], options: AssembleOptions): Promise<SourceSeries> {
  const notes: string[] = [];
  const objects = files.map((bytes, n) => readImageObjects(bytes, n + 1));
  const distinct = dropCopies(objects, files, notes).flat();
  checkSameKind(distinct);
  const sorted = chooseVolume(sortAlongNormal(distinct), options.volume);
  checkSize(
    sorted.map(({ image }) => image),
    options.maxVoxels,
  );
  // A second thread takes longer to start than a few frames take to decode.
  const decoder = createFrameDecoder(sorted.length < 16 ? { lanes: 1 } : {});
  try {
    const decoded = await decodeAll(sorted, decoder, options.signal);
    const placed = dropTwins(sorted, decoded, notes);
    const geometry = gridOf(placed);
    notes.push(...noteResampling(geometry, options.maxVoxels));
    const ordered = placed.map(({ image }) => image);
    const slices = ordered.map((image) => decoded.get(image)!);
    const surplus = slices.filter(({ surplusBytes }) => surplusBytes > 0).length;
    if (surplus > 0) notes.push(`Surplus bytes after the pixels of ${surplus} instances are ignored.`);
    const rescaled = await rescale(ordered, slices, geometry);
    return describe(ordered, rescaled.volume, [...notes, ...rescaled.notes]);
  } finally {
    await decoder.close();
  }
}

function describe(
  ordered: readonly ImageObject[],
  volume: SourceSeries['volume'],
  notes: readonly string[],
): SourceSeries {
  const first = ordered[0]!;
  if (first.frameOfReferenceUid === '') {
    throw new AppError('series-not-writable', 'The series has no FrameOfReferenceUID, so no SEG can refer to it.', {});
  }
  const lossy = ordered.find((image) => image.lossy);
  return {
    studyInstanceUid: first.studyInstanceUid,
    seriesInstanceUid: first.seriesInstanceUid,
    frameOfReferenceUid: first.frameOfReferenceUid,
    modality: first.modality,
    instances: ordered.map(({ sopClassUid, sopInstanceUid, frameNumber }) => ({
      ...{ sopClassUid, sopInstanceUid },
      ...(frameNumber === undefined ? {} : { frameNumber }),
    })),
    volume,
    header: readHeader((lossy ?? first).dataSet),
    lossy: lossy !== undefined,
    notes,
  };
}

/** One object under several names or sent twice is one object, if it is the same byte for byte. */
function dropCopies(
  objects: readonly (readonly ImageObject[])[],
  files: readonly Uint8Array[],
  notes: string[],
): readonly (readonly ImageObject[])[] {
  const seen = new Map<string, number>();
  const distinct: (readonly ImageObject[])[] = [];
  objects.forEach((images, n) => {
    const [image] = images;
    if (image === undefined) return;
    const before = seen.get(image.sopInstanceUid);
    if (before === undefined) {
      seen.set(image.sopInstanceUid, n);
      distinct.push(images);
    } else if (Buffer.compare(files[before]!, files[n]!) !== 0) {
      throw new AppError('series-duplicate-slices', `${image.name} is there twice with different contents.`, {
        sopInstanceUid: image.sopInstanceUid,
      });
    }
  });
  const copies = objects.length - distinct.length;
  if (copies > 0) notes.push(`${copies} byte-equal copies of instances are ignored.`);
  return distinct;
}

/** Two objects at one position: the second is dropped when its pixels are the same, else the series is refused. */
function dropTwins(
  sorted: readonly PlacedImage[],
  decoded: ReadonlyMap<ImageObject, StoredSlice>,
  notes: string[],
): readonly PlacedImage[] {
  const kept: PlacedImage[] = [];
  for (const placed of sorted) {
    const before = kept[kept.length - 1];
    if (before === undefined || placed.alongMm - before.alongMm >= tolerance.samePositionMm) kept.push(placed);
    else if (!samePixels(before.image, placed.image, decoded)) {
      const at = placed.alongMm.toFixed(2);
      throw new AppError(
        'series-duplicate-slices',
        `${before.image.name} and ${placed.image.name} both lie at ${at} mm and differ.`,
        { sopInstanceUids: [before.image.sopInstanceUid, placed.image.sopInstanceUid] },
      );
    }
  }
  const twins = sorted.length - kept.length;
  if (twins > 0)
    notes.push(`${twins} instances repeat the pixels of another one at the same position and are ignored.`);
  return kept;
}

function samePixels(a: ImageObject, b: ImageObject, decoded: ReadonlyMap<ImageObject, StoredSlice>): boolean {
  const p = decoded.get(a)!.values;
  const q = decoded.get(b)!.values;
  return a.slope === b.slope && a.intercept === b.intercept && p.every((value, n) => value === q[n]);
}

function checkSize(images: readonly ImageObject[], maxVoxels: number): void {
  const { rows, columns } = images[0]!.format;
  const voxels = rows * columns * images.length;
  if (voxels <= maxVoxels) return;
  throw new AppError(
    'image-too-large',
    `The series has ${columns} x ${rows} x ${images.length} voxels; the limit is ${maxVoxels}.`,
    { voxels, maxVoxels },
  );
}

async function decodeAll(
  sorted: readonly PlacedImage[],
  decoder: FrameDecoder,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<ImageObject, StoredSlice>> {
  const decoded = new Map<ImageObject, StoredSlice>();
  const queue = [...sorted];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      signal?.throwIfAborted();
      decoded.set(next.image, await decodeSlice(next.image, decoder));
      // Native frames are unpacked on this thread; other requests get a turn between two of them.
      await nextTurn();
    }
  };
  const lanes = Array.from({ length: decoder.lanes }, () =>
    lane().catch((error: unknown) => {
      queue.length = 0;
      throw error;
    }),
  );
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return decoded;
}
