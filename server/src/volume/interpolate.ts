import type { Geometry, IndexMap, Vec3 } from './geometry.ts';
import { lastStep } from './slice-steps.ts';

/** Half-open run of columns `[first, end)`. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

/** A point this close (voxels) to the outer face of a box still belongs to it: rounding of the index map. */
export const EDGE_TOLERANCE = 1e-6;

/** Inclusive index range per axis, voxel centres; a point belongs to it up to half a voxel outside. */
export interface Box {
  readonly low: Vec3;
  readonly high: Vec3;
}

/** The box of all voxels of a grid. */
export function wholeBox(size: Vec3): Box {
  return { low: [0, 0, 0], high: [size[0] - 1, size[1] - 1, size[2] - 1] };
}

/** The same, along k in steps. */
export function stepBox(g: Geometry): Box {
  return wholeBox([g.size[0], g.size[1], lastStep(g) + 1]);
}

/**
 * The voxels of `least` and more, with one voxel around: an interpolated voxel reads its neighbours on both sides. Null
 * when there is none.
 *
 * @param values `[slice, row, column]`.
 */
export function boxAround(size: Vec3, values: Float32Array, least: number): Box | null {
  const [columns, rows, slices] = size;
  const low: [number, number, number] = [columns, rows, slices];
  const high: [number, number, number] = [-1, -1, -1];
  for (let k = 0, start = 0; k < slices; k++)
    for (let j = 0; j < rows; j++, start += columns) {
      let first = 0;
      while (first < columns && !(values[start + first]! >= least)) first++;
      if (first === columns) continue;
      let last = columns - 1;
      while (!(values[start + last]! >= least)) last--;
      low[0] = Math.min(low[0], first);
      high[0] = Math.max(high[0], last);
      low[1] = Math.min(low[1], j);
      high[1] = Math.max(high[1], j);
      low[2] = Math.min(low[2], k);
      high[2] = k;
    }
  if (high[0] < 0) return null;
  const first = (axis: 0 | 1 | 2): number => Math.max(0, low[axis] - 1);
  const last = (axis: 0 | 1 | 2): number => Math.min(size[axis] - 1, high[axis] + 1);
  return { low: [first(0), first(1), first(2)], high: [last(0), last(1), last(2)] };
}

/** Source index of target voxel (0, row, slice), and how it moves with the column. Slices are told in steps. */
export function startOfRow(map: IndexMap, row: number, slice: number): Vec3 {
  const [, y, z] = map.columns;
  return [
    map.offset[0] + y[0] * row + z[0] * slice,
    map.offset[1] + y[1] * row + z[1] * slice,
    map.offset[2] + y[2] * row + z[2] * slice,
  ];
}

/** Where a box begins and ends along an axis. */
export function facesOf({ low, high }: Box, axis: number): readonly [number, number] {
  return [low[axis]! - 0.5 - EDGE_TOLERANCE, high[axis]! + 0.5 + EDGE_TOLERANCE];
}

/** The columns of a target row whose points lie in `box`, up to half a voxel beyond its outer centres. */
export function clipRow(start: Vec3, step: Vec3, columns: number, box: Box): Span {
  let first = 0;
  let last = columns - 1;
  for (let axis = 0; axis < 3; axis++) {
    const [low, high] = facesOf(box, axis);
    const from = start[axis]!;
    const slope = step[axis]!;
    if (Math.abs(slope) < 1e-12) {
      if (from < low || from > high) return { first: 0, end: 0 };
      continue;
    }
    const a = (low - from) / slope;
    const b = (high - from) / slope;
    first = Math.max(first, Math.ceil(Math.min(a, b)));
    last = Math.min(last, Math.floor(Math.max(a, b)));
  }
  return last < first ? { first: 0, end: 0 } : { first, end: last + 1 };
}

/**
 * Trilinear values of one target row, written to `out[outOffset + column]` for the columns of `span`. Points beyond the
 * outermost voxel centres take the value at the centre.
 */
export function interpolateRow(
  source: Float32Array,
  size: Vec3,
  start: Vec3,
  step: Vec3,
  span: Span,
  out: Float32Array,
  outOffset: number,
): void {
  const [columns, rows, slices] = size;
  const plane = columns * rows;
  const [x0, y0, z0] = start;
  const [dx, dy, dz] = step;
  for (let c = span.first; c < span.end; c++) {
    const x = Math.min(columns - 1, Math.max(0, x0 + c * dx));
    const y = Math.min(rows - 1, Math.max(0, y0 + c * dy));
    const z = Math.min(slices - 1, Math.max(0, z0 + c * dz));
    const i = Math.trunc(x);
    const j = Math.trunc(y);
    const k = Math.trunc(z);
    const n = k * plane + j * columns + i;
    const right = i + 1 < columns ? 1 : 0;
    const down = j + 1 < rows ? columns : 0;
    const next = k + 1 < slices ? plane : 0;
    const fx = x - i;
    const fy = y - j;
    const fz = z - k;
    const a = source[n]!;
    const b = source[n + down]!;
    const d = source[n + next]!;
    const e = source[n + down + next]!;
    const top = a + fx * (source[n + right]! - a);
    const bottom = b + fx * (source[n + down + right]! - b);
    const nextTop = d + fx * (source[n + next + right]! - d);
    const nextBottom = e + fx * (source[n + down + next + right]! - e);
    const near = top + fy * (bottom - top);
    const far = nextTop + fy * (nextBottom - nextTop);
    out[outOffset + c] = near + fz * (far - near);
  }
}
