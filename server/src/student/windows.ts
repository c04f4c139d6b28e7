import type { Vec3 } from '../volume/geometry.ts';

/** A window of a grid: first voxel `[i, j, k]`, which lies before the grid where the grid is smaller than the window. */
export type WindowStart = Vec3;

/** Probabilities of overlapping windows, gathered on a grid; arrays `[slice, row, column]` float32. */
export interface Blend {
  /** `[columns, rows, slices]` of the grid. */
  readonly size: Vec3;
  /** `[columns, rows, slices]` of a window. */
  readonly windowVoxels: Vec3;
  /** One a segment: sum of weight x value; after {@link finishBlend}, their mean. */
  readonly fields: readonly Float32Array[];
  /** Sum of the weights. */
  readonly weight: Float32Array;
}

/** Standard deviation of the weights about the middle of a window, as a share of its side. */
const weightSd = 1 / 8;

/**
 * Windows that together hold every voxel of a grid, slice by slice.
 *
 * Along an axis shorter than the window there is one, its middle on the grid's. Along a longer one they are spread
 * evenly from end to end, so that none sticks out, and at least `overlap` of each lies in the next.
 *
 * @param size `[columns, rows, slices]`.
 * @param overlap share of a window, 0 .. below 1.
 */
export function placeWindows(size: Vec3, windowVoxels: Vec3, overlap: number): readonly WindowStart[] {
  if (!(overlap >= 0 && overlap < 1)) throw new RangeError(`windows cannot overlap by ${overlap}`);
  const starts = (axis: 0 | 1 | 2): readonly number[] => placeAlong(size[axis], windowVoxels[axis], overlap);
  const [columns, rows] = [starts(0), starts(1)];
  return starts(2).flatMap((k) => rows.flatMap((j) => columns.map((i): WindowStart => [i, j, k])));
}

/**
 * The window about a voxel `[i, j, k]`, as near as it comes without sticking out; along an axis shorter than the window it
 * lies as in {@link placeWindows}.
 */
export function windowAbout(voxel: Vec3, size: Vec3, windowVoxels: Vec3): WindowStart {
  const along = (axis: 0 | 1 | 2): number => {
    const [extent, length] = [size[axis], windowVoxels[axis]];
    if (extent <= length) return middle(extent, length);
    return Math.min(extent - length, Math.max(0, voxel[axis] - Math.floor(length / 2)));
  };
  return [along(0), along(1), along(2)];
}

function middle(extent: number, length: number): number {
  return Math.floor((extent - length) / 2);
}

function placeAlong(extent: number, length: number, overlap: number): readonly number[] {
  if (extent <= length) return [middle(extent, length)];
  const longest = Math.max(1, Math.floor(length * (1 - overlap)));
  const steps = Math.ceil((extent - length) / longest);
  return Array.from({ length: steps + 1 }, (_, n) => Math.round((n * (extent - length)) / steps));
}

/**
 * Writes what a window shows to `out`, `[slice, row, column]`. Beyond the faces of the grid it shows the grid mirrored
 * in them, as often as it takes.
 *
 * @param values `[slice, row, column]` on a grid of `size`: an image, or labels of one.
 */
export function cutWindow<T extends Float32Array | Uint8Array>(
  values: T,
  size: Vec3,
  start: WindowStart,
  windowVoxels: Vec3,
  out: T,
): void {
  const along = (axis: 0 | 1 | 2): Int32Array =>
    Int32Array.from({ length: windowVoxels[axis] }, (_, n) => mirror(start[axis] + n, size[axis]));
  const [columns, rows, slices] = [along(0), along(1), along(2)];
  let n = 0;
  for (const k of slices) {
    for (const j of rows) {
      const row = (k * size[1] + j) * size[0];
      for (let i = 0; i < columns.length; i++) out[n++] = values[row + columns[i]!]!;
    }
  }
}

/** The voxel of `0 .. count - 1` that lies at `index` of a line mirrored in its end faces. */
function mirror(index: number, count: number): number {
  const place = ((index % (2 * count)) + 2 * count) % (2 * count);
  return place < count ? place : 2 * count - 1 - place;
}

/** An empty blend of `fields` values a voxel. */
export function startBlend(size: Vec3, windowVoxels: Vec3, fields: number): Blend {
  const array = (): Float32Array => new Float32Array(size[0] * size[1] * size[2]);
  return { size, windowVoxels, fields: Array.from({ length: fields }, array), weight: array() };
}

/**
 * Adds one window, as far as it lies on the grid. Its weight falls off from its middle as a Gaussian, because a network
 * knows least at the edge of what it sees; it is above 0 everywhere.
 *
 * @param values `[field, slice, row, column]` of the window.
 */
export function addWindow(blend: Blend, start: WindowStart, values: Float32Array): void {
  const { size, windowVoxels, fields, weight } = blend;
  const [across, down, through] = windowVoxels.map(gaussianWeights) as [Float64Array, Float64Array, Float64Array];
  const [columns, rows, slices] = windowVoxels;
  const span = (axis: 0 | 1 | 2): readonly [number, number] => [
    Math.max(0, -start[axis]),
    Math.min(windowVoxels[axis], size[axis] - start[axis]),
  ];
  const [[left, right], [top, bottom], [front, back]] = [span(0), span(1), span(2)];
  for (let k = front; k < back; k++) {
    for (let j = top; j < bottom; j++) {
      const to = ((start[2] + k) * size[1] + start[1] + j) * size[0] + start[0];
      const from = (k * rows + j) * columns;
      const ofRow = through[k]! * down[j]!;
      for (let i = left; i < right; i++) weight[to + i]! += ofRow * across[i]!;
      for (let f = 0; f < fields.length; f++) {
        const [field, first] = [fields[f]!, f * columns * rows * slices + from];
        for (let i = left; i < right; i++) field[to + i]! += ofRow * across[i]! * values[first + i]!;
      }
    }
  }
}

/** Turns the sums into means, in place; voxels that no window held stay 0. */
export function finishBlend({ fields, weight }: Blend): void {
  for (const field of fields) {
    for (let n = 0; n < field.length; n++) if (weight[n]! > 0) field[n]! /= weight[n]!;
  }
}

function gaussianWeights(length: number): Float64Array {
  const middle = (length - 1) / 2;
  return Float64Array.from({ length }, (_, n) => Math.exp(-0.5 * ((n - middle) / (weightSd * length)) ** 2));
}
