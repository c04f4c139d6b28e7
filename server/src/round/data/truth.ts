import { AppError } from '../../errors/app-error.ts';
import type { Labelmap } from '../../labelmap/labelmap.ts';
import { placeSegments } from '../../seg/place.ts';
import { readSeg, type SegObject } from '../../seg/read.ts';
import { isPart10 } from '../../study/part10.ts';
import type { Geometry } from '../../volume/geometry.ts';
import type { Volume } from '../../volume/volume.ts';
import { readNiftiFile } from './nifti.ts';

/** What the labels of a truth are to be. */
export interface Wanted {
  /** Of the card. */
  readonly segments: readonly { readonly number: number; readonly label: string }[];
  /** Segment number or label of the truth to a number of the card; none: by label in a SEG, by value in an image. */
  readonly mapping: Readonly<Record<string, number>> | undefined;
}

/** The image that a truth belongs to. */
export interface TruthImage {
  readonly geometry: Geometry;
  /** Absent for images that are not DICOM. */
  readonly frameOfReferenceUid?: string;
}

/**
 * A truth file as class indices of the card. A label image stays on its own grid; a SEG, which leaves out what is empty,
 * is laid on the grid of the image.
 *
 * @throws AppError those of {@link readNiftiFile}, {@link readSeg} and {@link segTruth}; `truth-segment-unknown`
 */
export function readTruth(file: Uint8Array, image: TruthImage, wanted: Wanted, maxVoxels: number): Labelmap {
  if (isPart10(file)) return segTruth(readSeg(file), image, wanted, maxVoxels);
  const { data, geometry } = readNiftiFile(file, maxVoxels);
  return { data: imageClasses(data, wanted), geometry, segments: [] };
}

/**
 * A SEG as class indices of the card on the grid of an image.
 *
 * @throws AppError `truth-segment-unknown`: none of its segments is wanted; `truth-elsewhere`: another frame of
 *   reference; those of {@link placeSegments}
 */
export function segTruth(seg: SegObject, image: TruthImage, wanted: Wanted, maxVoxels: number): Labelmap {
  const classes = segClasses(seg, wanted);
  if (classes.size === 0) {
    const numbers = seg.segments.map(({ number }) => number).slice(0, 20);
    const way = wanted.mapping ? 'none of them is mapped' : 'none has the label of a segment of the card';
    throw new AppError('truth-segment-unknown', `The SEG has the segments ${numbers.join(', ')}; ${way}.`, { numbers });
  }
  const { geometry, frameOfReferenceUid } = image;
  if (frameOfReferenceUid && seg.frameOfReferenceUid && frameOfReferenceUid !== seg.frameOfReferenceUid) {
    throw new AppError('truth-elsewhere', 'The SEG is in another frame of reference than the image.');
  }
  return { data: placeSegments(seg, { classes, image: geometry, maxVoxels }), geometry, segments: [] };
}

/** Segment number to class index of the card, for the segments that are wanted. */
export function segClasses(
  seg: Pick<SegObject, 'segments'>,
  { segments, mapping }: Wanted,
): ReadonlyMap<number, number> {
  const plain = (text: string) => text.trim().toLowerCase();
  const byLabel = new Map<string, number>(
    mapping
      ? Object.entries(mapping).flatMap(([name, number]) =>
          /^\d+$/.test(name) ? [] : [[plain(name), number] as const],
        )
      : segments.map(({ label, number }) => [plain(label), number]),
  );
  const found = seg.segments.flatMap(({ number, label }): [number, number][] => {
    const target = mapping?.[String(number)] ?? byLabel.get(plain(label));
    return target ? [[number, target]] : [];
  });
  return new Map(found);
}

function imageClasses(data: Volume['data'], { segments, mapping }: Wanted): Uint8Array {
  const known = new Map<number, number>([[0, 0]]);
  for (const { number } of segments) if (!mapping) known.set(number, number);
  for (const [name, number] of Object.entries(mapping ?? {})) if (/^\d+$/.test(name)) known.set(Number(name), number);
  return Uint8Array.from(data, (value) => {
    const target = known.get(value);
    if (target !== undefined) return target;
    if (mapping && Number.isInteger(value)) return 0;
    const reason = mapping ? 'which is no label' : 'which is no segment of the card';
    throw new AppError('truth-segment-unknown', `The truth holds the value ${value}, ${reason}.`, { value });
  });
}
