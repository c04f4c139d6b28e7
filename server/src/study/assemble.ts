import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { readHeader } from './header.ts';
import { type ImageObject, readImageObjects } from './image-object.ts';
import type { StoredSlice } from './pixel-data.ts';
import { noteResampling } from './resampling.ts';
import { rescale } from './rescale.ts';
import { chooseVolume } from './several-volumes.ts';
import { SliceDecoding } from './slice-decoding.ts';
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

/** The DICOM files of one series, in any order. */
export interface SeriesFiles {
  /** How many will come. */
  readonly length: number;
  /** Set where no object comes twice, so that none need be compared. */
  readonly isDistinct?: true;
  /** Part 10. The bytes of a file may change when the next one is asked for. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array>;
}

/**
 * The files of one series as a checked, sorted, decoded volume. They are decoded as they come, and not kept.
 *
 * @throws AppError `series-not-image`, `series-too-few-slices`, `series-mixed-geometry`, `series-missing-slices`,
 *   `series-several-volumes`, `series-duplicate-slices`, `series-uneven-spacing`, `series-tilted`, `series-no-contrast`, `series-not-writable`,
 *   `instance-unreadable`, `transfer-syntax-unsupported`, `image-too-large`; what the files throw
 */
export async function assembleSeries(
  files: SeriesFiles | readonly Uint8Array[],
  options: AssembleOptions,
): Promise<SourceSeries> {
  const decoding = new SliceDecoding({ ...options, objects: files.length });
  try {
    return await assemble(files, decoding, options);
  } finally {
    await decoding.close();
  }
}

async function assemble(
  files: SeriesFiles | readonly Uint8Array[],
  decoding: SliceDecoding,
  { maxVoxels, volume = '' }: AssembleOptions,
): Promise<SourceSeries> {
  const notes: string[] = [];
  const distinct = await takeAll(files, decoding, notes);
  checkSameKind(distinct);
  const sorted = chooseVolume(sortAlongNormal(distinct), volume);
  const images = sorted.map(({ image }) => image);
  checkSize(images, maxVoxels);
  const decoded = await decoding.slices(images);
  const placed = dropTwins(sorted, decoded, notes);
  const geometry = gridOf(placed);
  notes.push(...noteResampling(geometry, maxVoxels));
  const ordered = placed.map(({ image }) => image);
  const slices = ordered.map((image) => decoded.get(image)!);
  const surplus = slices.filter(({ surplusBytes }) => surplusBytes > 0).length;
  if (surplus > 0) notes.push(`Surplus bytes after the pixels of ${surplus} instances are ignored.`);
  const rescaled = await rescale(ordered, slices, geometry, decoding.block);
  return describe(ordered, rescaled.volume, [...notes, ...rescaled.notes]);
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

/** The images of all objects. One object under several names or sent twice is one object, if it is the same byte for byte. */
async function takeAll(
  files: SeriesFiles | readonly Uint8Array[],
  decoding: SliceDecoding,
  notes: string[],
): Promise<readonly ImageObject[]> {
  const digests = new Map<string, string>();
  const distinct: ImageObject[] = [];
  const isDistinct = 'isDistinct' in files && files.isDistinct;
  let objects = 0;
  for await (const bytes of files) {
    const images = readImageObjects(bytes, ++objects);
    const [image] = images;
    if (image === undefined) continue;
    if (!isDistinct) {
      const digest = createHash('sha256').update(bytes).digest('base64');
      const before = digests.get(image.sopInstanceUid);
      if (before === digest) continue;
      if (before !== undefined) {
        throw new AppError('series-duplicate-slices', `${image.name} is there twice with different contents.`, {
          sopInstanceUid: image.sopInstanceUid,
        });
      }
      digests.set(image.sopInstanceUid, digest);
    }
    distinct.push(...images);
    await decoding.take(images);
  }
  const copies = isDistinct ? 0 : objects - digests.size;
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
