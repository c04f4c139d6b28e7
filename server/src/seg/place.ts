import { AppError } from '../errors/app-error.ts';
import {
  createGeometry,
  type Geometry,
  indexToPatient,
  maxLeanDegrees,
  patientToIndex,
  sliceStepMm,
  type Vec3,
  voxelCount,
} from '../volume/geometry.ts';
import { nearestVoxels } from '../volume/nearest.ts';
import type { PlacedFrame, SegObject } from './read.ts';

/** A frame may lie this far from its slice, as a share of the distance between slices. */
const sliceTolerance = 0.1;
/** Two frames within this distance along the normal lie on one slice, mm. */
const sameSliceMm = 0.02;
/** A frame may lie this far beside the stack of the others, mm: rounding of positions. */
const lateralMm = 0.15;
const cosineTolerance = 5e-4;

/** What of a SEG is wanted, and where. */
export interface Placement {
  /** Segment number to class index; segments not named are left out. */
  readonly classes: ReadonlyMap<number, number>;
  /** Grid of the image that the SEG belongs to. */
  readonly image: Geometry;
  /** Largest stack of frames accepted, voxels. */
  readonly maxVoxels: number;
}

/**
 * The segments of a SEG as class indices on the grid of an image, `[slice, row, column]` uint8, nearest voxel; 0 where
 * no frame shows a wanted segment. Frames go where their position says, whatever their order.
 *
 * @throws AppError `seg-unsupported`: the frames are neither slices of one regular stack nor of the image, or two segments with different
 *   classes claim the same voxel; `truth-elsewhere`: no frame meets the image; `image-too-large`.
 */
export function placeSegments(seg: SegObject, { classes, image, maxVoxels }: Placement): Uint8Array {
  const out = new Uint8Array(voxelCount(image));
  const wanted = [...seg.frames.entries()].filter(([, { segmentNumber }]) => classes.has(segmentNumber));
  if (wanted.length === 0) return out;
  const stack = stackOf(
    wanted.map(([, frame]) => frame),
    seg,
    image,
  );
  const voxels = voxelCount(stack.geometry);
  if (voxels > maxVoxels) {
    throw new AppError('image-too-large', `The SEG spans ${voxels} voxels; the limit is ${maxVoxels}.`, { voxels });
  }
  const labels = new Uint8Array(voxels);
  for (const [at, [n, { segmentNumber }]] of wanted.entries()) {
    paint(seg, n, labels, stack.slices[at] ?? 0, { segment: segmentNumber, label: classes.get(segmentNumber) ?? 0 });
  }
  if (!carry(labels, stack.geometry, image, out)) {
    throw new AppError('truth-elsewhere', 'No frame of the SEG meets the image.');
  }
  return out;
}

/** The grid that the frames span, and on which of its slices each frame lies. */
function stackOf(
  frames: readonly PlacedFrame[],
  { rows, columns }: SegObject,
  image: Geometry,
): { readonly geometry: Geometry; readonly slices: readonly number[] } {
  const [first] = frames;
  if (!first) throw new RangeError('a stack needs a frame');
  const { rowDirection, columnDirection, columnSpacingMm, rowSpacingMm } = first;
  const normal = cross(rowDirection, columnDirection);
  const onSlices = slicesOfImage(frames, normal, image);
  if (onSlices) {
    const origin = subtract(first.position, indexToPatient({ ...image, origin: [0, 0, 0] }, [0, 0, onSlices[0] ?? 0]));
    const size: Vec3 = [columns, rows, image.size[2]];
    const spacingMm: Vec3 = [columnSpacingMm, rowSpacingMm, image.spacingMm[2]];
    const direction = [rowDirection, columnDirection, image.direction[2]] as const;
    return { geometry: gridOf({ ...image, size, spacingMm, origin, direction }), slices: onSlices };
  }
  const step = stepDirection(frames, normal, image);
  const along = frames.map(({ position }) => dot(position, normal));
  const lowest = along.indexOf(Math.min(...along));
  const origin = (frames[lowest] ?? first).position;
  const stepMm = stepOf(along, candidates(frames, origin, normal, image));
  const slices = along.map((mm) => Math.round((mm - (along[lowest] ?? 0)) / stepMm));
  const count = slices.reduce((most, slice) => Math.max(most, slice), 0) + 1;
  const geometry = gridOf({
    size: [columns, rows, count],
    spacingMm: [columnSpacingMm, rowSpacingMm, stepMm / dot(step, normal)],
    origin,
    direction: [rowDirection, columnDirection, step],
  });
  return { geometry, slices };
}

function gridOf(parts: Geometry): Geometry {
  try {
    return createGeometry(parts);
  } catch (cause) {
    throw new AppError('seg-unsupported', 'The orientation of the SEG is not orthonormal.', {}, { cause });
  }
}

/** The slice of an image at uneven gaps that each frame lies on; undefined where one lies on none, or the gaps are even. */
function slicesOfImage(frames: readonly PlacedFrame[], normal: Vec3, image: Geometry): readonly number[] | undefined {
  const [first] = frames;
  if (!image.sliceSteps || !first || Math.abs(dot(normalOf(image), normal)) < 1 - cosineTolerance) return undefined;
  if (!frames.every((frame) => isSliceOfStack(first, frame, normal, image.direction[2]))) return undefined;
  const found = frames.map(({ position }) => patientToIndex(image, position)[2]);
  const areOnSlices = found.every((k) => Math.abs(k - Math.round(k)) <= sliceTolerance);
  const slices = found.map(Math.round);
  return areOnSlices && slices.every((k) => k >= 0 && k < image.size[2]) ? slices : undefined;
}

/** The unit vector from slice to slice: the normal, or the one that the image's own slices lean along. */
function stepDirection(frames: readonly PlacedFrame[], normal: Vec3, image: Geometry): Vec3 {
  const [first] = frames;
  const ofImage = scale(image.direction[2], Math.sign(dot(image.direction[2], normal)));
  const isOblique = dot(ofImage, normal) < Math.cos((maxLeanDegrees * Math.PI) / 180);
  const found = (isOblique ? [normal] : [normal, ofImage]).find((step) =>
    frames.every((frame) => isSliceOfStack(first ?? frame, frame, normal, step)),
  );
  if (!found) throw new AppError('seg-unsupported', 'The frames of the SEG are not slices of one stack.');
  return found;
}

function isSliceOfStack(first: PlacedFrame, frame: PlacedFrame, normal: Vec3, step: Vec3): boolean {
  const near = (a: readonly number[], b: readonly number[], limit: number) =>
    a.every((value, n) => Math.abs(value - (b[n] ?? Number.NaN)) <= limit);
  const offset = subtract(frame.position, first.position);
  const beside = Math.hypot(...subtract(offset, scale(step, dot(offset, normal) / dot(step, normal))));
  return (
    near(frame.rowDirection, first.rowDirection, cosineTolerance) &&
    near(frame.columnDirection, first.columnDirection, cosineTolerance) &&
    near([frame.columnSpacingMm, frame.rowSpacingMm], [first.columnSpacingMm, first.rowSpacingMm], 3e-3) &&
    beside <= lateralMm
  );
}

/**
 * Distances between slices that may be the true one, the most trusted first. A sparse SEG has only the slices that show
 * something, so its gaps alone may make slices too thick; the image knows better, unless the SEG says it has other ones.
 */
function candidates(frames: readonly PlacedFrame[], origin: Vec3, normal: Vec3, image: Geometry): readonly number[] {
  const [first] = frames;
  const told = first?.sliceSpacingMm ?? first?.thicknessMm;
  const ofImage = image.direction.flatMap((axis, a) => {
    const isSlices = a === 2;
    const step = isSlices ? sliceStepMm(image) : (image.spacingMm[a] ?? Number.NaN);
    const index = patientToIndex(image, origin)[a] ?? Number.NaN;
    const across = isSlices ? normalOf(image) : axis;
    const isAxis = Math.abs(dot(across, normal)) >= 1 - cosineTolerance;
    const isOnSlice = Math.abs(index - Math.round(index)) <= sliceTolerance;
    const agrees = told === undefined || Math.abs(told - step) <= sliceTolerance * step;
    return isAxis && isOnSlice && agrees ? [step] : [];
  });
  // The thickness says nothing about the distance when there are gaps between slices.
  const only = frames.every(({ position }) => Math.abs(dot(subtract(position, origin), normal)) <= sameSliceMm);
  return [...ofImage, ...[first?.sliceSpacingMm, only ? first?.thicknessMm : undefined].flatMap((mm) => mm ?? [])];
}

function normalOf({ direction: [row, column] }: Geometry): Vec3 {
  return cross(row, column);
}

/** The distance between slices that the frames' own positions confirm. */
function stepOf(alongMm: readonly number[], candidateSteps: readonly number[]): number {
  const sorted = [...alongMm].sort((a, b) => a - b);
  const gaps = sorted.slice(1).flatMap((mm, n) => {
    const gap = mm - (sorted[n] ?? mm);
    return gap > sameSliceMm ? [gap] : [];
  });
  if (gaps.length === 0) {
    const [only] = candidateSteps;
    if (only !== undefined) return only;
    throw new AppError('seg-unsupported', 'The SEG has one slice and does not say how thick it is.');
  }
  for (const guess of [...candidateSteps, Math.min(...gaps)]) {
    const steps = gaps.map((gap) => Math.round(gap / guess));
    const all = steps.reduce((sum, count) => sum + count, 0);
    // The guess may be rounded: over a long stack only the mean is exact.
    const step = gaps.reduce((sum, gap) => sum + gap, 0) / Math.max(1, all);
    const fits = gaps.every(
      (gap, n) => (steps[n] ?? 0) > 0 && Math.abs(gap / step - (steps[n] ?? 0)) <= sliceTolerance,
    );
    if (fits) return step;
  }
  throw new AppError('seg-unsupported', 'The slices of the SEG are unevenly spaced.');
}

function paint(
  { rows, columns, bits }: SegObject,
  frame: number,
  labels: Uint8Array,
  slice: number,
  { segment, label }: { readonly segment: number; readonly label: number },
): void {
  const pixels = rows * columns;
  const to = slice * pixels;
  const first = frame * pixels;
  for (let i = 0; i < pixels; i++) {
    const bit = first + i;
    const byte = bits[bit >> 3] ?? 0;
    if (byte === 0) {
      // Nearly all of a mask is empty: on to the first bit of the next byte.
      i += 7 - (bit & 7);
      continue;
    }
    if (((byte >> (bit & 7)) & 1) === 0) continue;
    const before = labels[to + i] ?? 0;
    if (before !== 0 && before !== label && label !== 0) {
      throw new AppError('seg-unsupported', `Segment ${segment} of the SEG overlaps a segment of another class.`, {
        segment,
      });
    }
    if (label !== 0) labels[to + i] = label;
  }
}

/** @returns whether the two grids meet. */
function carry(labels: Uint8Array, from: Geometry, to: Geometry, out: Uint8Array): boolean {
  const nearest = nearestVoxels(from, to);
  let meet = false;
  for (let k = 0; k < to.size[2]; k++) {
    const elements = nearest(k);
    const first = k * elements.length;
    // An iterator over entries takes five times as long, and this runs once a voxel.
    for (let n = 0; n < elements.length; n++) {
      const element = elements[n] ?? -1;
      if (element < 0) continue;
      meet = true;
      out[first + n] = labels[element] ?? 0;
    }
  }
  return meet;
}

function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function subtract(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function scale(a: Vec3, factor: number): Vec3 {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}
