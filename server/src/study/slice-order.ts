import { AppError } from '../errors/app-error.ts';
import { createGeometry, type Geometry, maxLeanDegrees, type Vec3 } from '../volume/geometry.ts';
import type { ImageObject } from './image-object.ts';
import { median, spacingOf } from './slice-gaps.ts';
import { tolerance } from './tolerance.ts';

/** Fewer slices than this are a localizer or a fragment. */
export const minSlices = 3;

/**
 * Refuses a series whose images do not share orientation, size, spacing, frame of reference and kind, naming the odd
 * ones by instance number.
 *
 * @throws AppError `series-not-image` (single localizer), `series-too-few-slices`, `series-mixed-geometry`
 */
export function checkSameKind(images: readonly ImageObject[]): void {
  const [first] = images;
  if (images.length === 1 && first?.isLocalizer) {
    throw new AppError('series-not-image', 'The series is a single localizer image.', { slices: 1 });
  }
  if (images.length < minSlices) {
    throw new AppError('series-too-few-slices', `The series has ${images.length} slices; ${minSlices} are needed.`, {
      slices: images.length,
    });
  }
  for (const image of images) checkOrthonormal(image);
  const groups = groupByKind(images);
  if (groups.length === 1) return;
  const [main = [], ...odd] = groups.sort((a, b) => b.length - a.length);
  const names = odd.flat().map((image) => image.name);
  const difference = firstDifference(main[0]!, odd[0]![0]!);
  throw new AppError(
    'series-mixed-geometry',
    `${list(names)} of ${images.length} images: ${difference} differs from the other ${main.length}.`,
    { slices: images.length, groups: groups.length, odd: names.slice(0, 10) },
  );
}

/** Images in the order of their positions along the normal, with that distance in mm. */
export interface PlacedImage {
  readonly image: ImageObject;
  readonly alongMm: number;
}

/** Sorts by position along the normal (row x column direction); never by number, location or file name. */
export function sortAlongNormal(images: readonly ImageObject[]): readonly PlacedImage[] {
  const { normal } = meanDirections(images);
  return images.map((image) => ({ image, alongMm: dot(image.position, normal) })).sort((a, b) => a.alongMm - b.alongMm);
}

/**
 * The grid of a sorted series of one kind. Slices of a tilted gantry give one that leans, those at different gaps an uneven one.
 *
 * @throws AppError `series-tilted` (beyond what a gantry can), `series-mixed-geometry`, `series-missing-slices`, `series-uneven-spacing`
 */
export function gridOf(placed: readonly PlacedImage[]): Geometry {
  const images = placed.map(({ image }) => image);
  const { row, column, normal } = meanDirections(images);
  const first = placed[0]!;
  const along = checkLine(placed, normal);
  const { stepMm, ...uneven } = spacingOf(
    placed.map(({ image, alongMm }) => ({ alongMm, thicknessMm: image.thicknessMm })),
  );
  const { format } = first.image;
  return createGeometry({
    size: [format.columns, format.rows, placed.length],
    spacingMm: [
      median(images.map((image) => image.columnSpacingMm)),
      median(images.map((image) => image.rowSpacingMm)),
      stepMm / dot(along, normal),
    ],
    origin: first.image.position,
    direction: [row, column, along],
    ...uneven,
  });
}

function checkOrthonormal({ name, rowDirection, columnDirection }: ImageObject): void {
  const faults = [
    Math.hypot(...rowDirection) - 1,
    Math.hypot(...columnDirection) - 1,
    dot(rowDirection, columnDirection),
  ];
  if (faults.every((fault) => Math.abs(fault) <= tolerance.orthonormal)) return;
  throw new AppError('instance-unreadable', `${name} has an ImageOrientationPatient that is not orthonormal.`, {
    orientation: [...rowDirection, ...columnDirection],
  });
}

function groupByKind(images: readonly ImageObject[]): ImageObject[][] {
  const groups: ImageObject[][] = [];
  for (const image of images) {
    const group = groups.find(([leader]) => firstDifference(leader!, image) === undefined);
    if (group) group.push(image);
    else groups.push([image]);
  }
  return groups;
}

/** What keeps two images from being slices of one volume, by attribute; undefined when nothing does. */
function firstDifference(a: ImageObject, b: ImageObject): string | undefined {
  const near = (p: readonly number[], q: readonly number[], limit: number): boolean =>
    p.every((value, n) => Math.abs(value - q[n]!) <= limit);
  if (a.format.rows !== b.format.rows || a.format.columns !== b.format.columns) {
    return `the size (${b.format.columns} x ${b.format.rows} against ${a.format.columns} x ${a.format.rows})`;
  }
  const sameDirections =
    near(a.rowDirection, b.rowDirection, tolerance.cosine) &&
    near(a.columnDirection, b.columnDirection, tolerance.cosine);
  if (!sameDirections) return 'the orientation';
  const spacing = (image: ImageObject): readonly number[] => [image.columnSpacingMm, image.rowSpacingMm];
  if (!near(spacing(a), spacing(b), tolerance.pixelSpacingMm)) return 'the pixel spacing';
  if (a.frameOfReferenceUid !== b.frameOfReferenceUid) return 'the frame of reference';
  if (a.sopClassUid !== b.sopClassUid || a.modality !== b.modality) return 'the kind of image';
  if (a.format.photometricInterpretation !== b.format.photometricInterpretation) return 'the grey scale';
  return undefined;
}

/**
 * Tilt is a common shift of all slices within their plane; one slice off the line does not belong there.
 *
 * @returns the unit vector from slice to slice: the normal, or of a tilted gantry the line that leans against it.
 */
function checkLine(placed: readonly PlacedImage[], normal: Vec3): Vec3 {
  const first = placed[0]!;
  const last = placed[placed.length - 1]!;
  const length = last.alongMm - first.alongMm;
  const shift = lateral(subtract(last.image.position, first.image.position), normal);
  const degrees = (Math.atan2(Math.hypot(...shift), length) * 180) / Math.PI;
  const isTilted = degrees > tolerance.tiltDegrees && Math.hypot(...shift) > tolerance.lateralMm;
  if (isTilted && degrees > maxLeanDegrees) {
    throw new AppError('series-tilted', `The slices are sheared by ${degrees.toFixed(2)} degrees.`, { degrees });
  }
  for (const { image, alongMm } of placed) {
    const share = length > 0 ? (alongMm - first.alongMm) / length : 0;
    const offset = lateral(subtract(image.position, first.image.position), normal);
    const off = Math.hypot(...subtract(offset, scale(shift, share)));
    if (off > tolerance.lateralMm) {
      throw new AppError('series-mixed-geometry', `${image.name} lies ${off.toFixed(2)} mm beside the other slices.`, {
        offMm: off,
        odd: [image.name],
      });
    }
  }
  return isTilted ? unit(subtract(last.image.position, first.image.position)) : normal;
}

/** Mean directions made orthonormal, so that noise of single slices averages out. */
function meanDirections(images: readonly ImageObject[]): {
  readonly row: Vec3;
  readonly column: Vec3;
  readonly normal: Vec3;
} {
  const mean = (of: (image: ImageObject) => Vec3): Vec3 =>
    images.reduce<Vec3>((sum, image) => add(sum, scale(of(image), 1 / images.length)), [0, 0, 0]);
  const row = unit(mean((image) => image.rowDirection));
  const leaning = mean((image) => image.columnDirection);
  const column = unit(subtract(leaning, scale(row, dot(leaning, row))));
  return { row, column, normal: cross(row, column) };
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function lateral(offset: Vec3, normal: Vec3): Vec3 {
  return subtract(offset, scale(normal, dot(offset, normal)));
}

function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function add(a: Vec3, b: Vec3): Vec3 {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

function subtract(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function scale(a: Vec3, factor: number): Vec3 {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

function unit(a: Vec3): Vec3 {
  return scale(a, 1 / Math.hypot(...a));
}
