import { AppError } from '../errors/app-error.ts';
import { type Geometry, patientToIndex, subGrid, type Vec3, voxelCount } from '../volume/geometry.ts';
import { placeSegments } from './place.ts';
import type { PlacedFrame, SegObject } from './read.ts';

/** What of a SEG is to be laid on an image, and what the person who asks agrees to. */
export interface Laying {
  /** Segment number to class index; segments not named are left out. */
  readonly classes: ReadonlyMap<number, number>;
  readonly image: Geometry;
  /** Largest grid worked on, voxels. */
  readonly maxVoxels: number;
  /** Whether a mask on another grid is carried over by the nearest voxel, and what lies outside the image left out. */
  readonly resample: boolean;
}

/** A mask on the grid of an image. */
export interface LaidMask {
  /** Class indices, `[slice, row, column]` uint8; 0 where nothing wanted is shown. */
  readonly labels: Uint8Array;
  /** Slices that the object says something of: what lies on others is not known, rather than empty. */
  readonly shown: ReadonlySet<number>;
  /** False: voxels, or contours, are as they were. */
  readonly resampled: boolean;
  /** What the person who asked should know of how it was laid. */
  readonly notes: readonly string[];
}

/** A frame may lie this far beside the pixels of the image, pixels. */
const besidePixels = 0.05;
/** And this far from its slice, as a share of the distance between slices. */
const besideSlices = 0.1;
/** Direction cosines may differ by this much. */
const cosineTolerance = 5e-4;

/**
 * A SEG as class indices on the grid of an image: voxel for voxel where each frame lies on a slice and its pixels on
 * pixels of the image (cropped, turned by quarters or mirrored frames do), else only where the person agrees to the
 * nearest voxel. Mask that lies outside the image is never dropped without a word.
 *
 * Shown are the slices that a wanted frame lies on; of a SEG that is carried over those where it leaves something.
 *
 * @throws AppError `import-grid-differs`: another grid, or mask outside the image, and `resample` is not set;
 *   `import-elsewhere`: all of the mask is outside; `image-too-large`; those of {@link placeSegments}
 */
export function layOnImage(seg: SegObject, { classes, image, maxVoxels, resample }: Laying): LaidMask {
  const frames = seg.frames.filter(({ segmentNumber }) => classes.has(segmentNumber));
  const off = frames.flatMap((frame) => describeDifference(frame, seg, image) ?? [])[0];
  if (off !== undefined && !resample) throw differs(off);
  const { grid, start } = cover(frames, seg, image);
  if (voxelCount(grid) > maxVoxels) {
    const voxels = voxelCount(grid);
    throw new AppError('image-too-large', `Image and SEG span ${voxels} voxels; the limit is ${maxVoxels}.`, {
      voxels,
    });
  }
  const { labels, inside, outside } = cut(placeSegments(seg, { classes, image: grid, maxVoxels }), grid, image, start);
  if (outside > 0 && inside === 0) {
    throw new AppError('import-elsewhere', 'The whole mask of the SEG lies outside the image.', { outside });
  }
  const lost = outside > 0 ? `${outside} voxels of its mask lie outside the image` : undefined;
  if (lost !== undefined && !resample) throw differs(lost);
  const onSlices = frames.map(({ position }) => Math.round(patientToIndex(image, position)[2]));
  const shown = off === undefined ? onSlices : slicesWithMask(labels, image);
  return {
    labels,
    shown: new Set(shown.filter((k) => k >= 0 && k < image.size[2])),
    resampled: off !== undefined,
    notes: [
      ...(off === undefined ? [] : [`Carried over by the nearest voxel: ${off}.`]),
      ...(lost === undefined ? [] : [`Left out: ${lost}.`]),
    ],
  };
}

function differs(difference: string): AppError {
  return new AppError('import-grid-differs', `The SEG is on another grid than the image: ${difference}.`);
}

/** The first thing in which a frame's pixels are not pixels of the image, with both values. */
function describeDifference(frame: PlacedFrame, seg: SegObject, image: Geometry): string | undefined {
  const { rowDirection, columnDirection, columnSpacingMm, rowSpacingMm } = frame;
  const along = axisOf(rowDirection, image);
  const down = axisOf(columnDirection, image);
  if (along === undefined || down === undefined || along === down) return 'its frames lie across the slices';
  const digits = (mm: number | undefined) => Number(mm?.toFixed(4));
  const pitch = [
    [columnSpacingMm, image.spacingMm[along], seg.columns],
    [rowSpacingMm, image.spacingMm[down], seg.rows],
  ] as const;
  for (const [own, wanted, pixels] of pitch) {
    // Over a whole row the rounding of what was written must not add up to another pixel.
    if (Math.abs(own / wanted - 1) * (pixels - 1) > besidePixels)
      return `its pixels are ${digits(own)} mm apart where those of the image are ${digits(wanted)} mm apart`;
  }
  const [i, j, k] = patientToIndex(image, frame.position);
  const beside = Math.max(Math.abs(i - Math.round(i)), Math.abs(j - Math.round(j)));
  if (Math.abs(k - Math.round(k)) > besideSlices)
    return `a frame lies ${digits(Math.abs(k - Math.round(k)))} of a slice distance beside the nearest slice`;
  return beside > besidePixels ? `its pixels lie ${digits(beside)} of a pixel beside those of the image` : undefined;
}

/** The axis of the image in its slices that a direction runs along, either way. */
function axisOf(direction: Vec3, image: Geometry): 0 | 1 | undefined {
  return ([0, 1] as const).find((axis) => {
    const [x, y, z] = image.direction[axis];
    return Math.abs(direction[0] * x + direction[1] * y + direction[2] * z) >= 1 - cosineTolerance;
  });
}

/** The grid of the image, made larger where frames reach beyond it, and where it then starts. */
function cover(
  frames: readonly PlacedFrame[],
  { rows, columns }: SegObject,
  image: Geometry,
): { readonly grid: Geometry; readonly start: Vec3 } {
  const low = [0, 0, 0];
  const high = image.size.map((n) => n - 1);
  for (const frame of frames) {
    for (const [u, v] of [
      [0, 0],
      [columns - 1, 0],
      [0, rows - 1],
      [columns - 1, rows - 1],
    ] as const) {
      const corner = patientToIndex(image, pixelAt(frame, u, v));
      for (const axis of [0, 1, 2] as const) {
        low[axis] = Math.min(low[axis] ?? 0, Math.round(corner[axis]));
        high[axis] = Math.max(high[axis] ?? 0, Math.round(corner[axis]));
      }
    }
  }
  const [x = 0, y = 0, z = 0] = low;
  const size = high.map((last, axis) => last - (low[axis] ?? 0) + 1);
  const [columnCount = 1, rowCount = 1, sliceCount = 1] = size;
  const start: Vec3 = [x, y, z];
  const isInside = start.every((n) => n === 0) && size.every((n, axis) => n === image.size[axis]);
  if (image.sliceSteps && sliceCount > image.size[2])
    throw differs('frames lie beyond the outer slices, and those of the image have uneven gaps');
  return { grid: isInside ? image : subGrid(image, start, [columnCount, rowCount, sliceCount]), start };
}

function pixelAt(frame: PlacedFrame, u: number, v: number): Vec3 {
  const { position, rowDirection, columnDirection, columnSpacingMm, rowSpacingMm } = frame;
  const at = (axis: 0 | 1 | 2) =>
    position[axis] + rowDirection[axis] * columnSpacingMm * u + columnDirection[axis] * rowSpacingMm * v;
  return [at(0), at(1), at(2)];
}

/** The part of labels that lies in the image, and how many voxels of the mask do and do not. */
function cut(
  labels: Uint8Array,
  grid: Geometry,
  image: Geometry,
  [x, y, z]: Vec3,
): { readonly labels: Uint8Array; readonly inside: number; readonly outside: number } {
  const mask = countMask(labels);
  if (grid === image) return { labels, inside: mask, outside: 0 };
  const [columns, rows, slices] = image.size;
  const part = new Uint8Array(voxelCount(image));
  for (let row = 0; row < rows * slices; row++) {
    const from = ((Math.floor(row / rows) - z) * grid.size[1] + (row % rows) - y) * grid.size[0] - x;
    part.set(labels.subarray(from, from + columns), row * columns);
  }
  const inside = countMask(part);
  return { labels: part, inside, outside: mask - inside };
}

function countMask(labels: Uint8Array): number {
  let count = 0;
  for (let n = 0; n < labels.length; n++) if (labels[n] !== 0) count++;
  return count;
}

function slicesWithMask(labels: Uint8Array, { size: [columns, rows, slices] }: Geometry): readonly number[] {
  const pixels = columns * rows;
  const isMarked = (k: number) => labels.subarray(k * pixels, (k + 1) * pixels).some((label) => label !== 0);
  return Array.from({ length: slices }, (_, k) => k).filter(isMarked);
}
