import type { Axes, Axis } from './aligned.ts';
import { type Geometry, type IndexMap, indexMap, type Vec3, voxelCount } from './geometry.ts';
import { clipRow, EDGE_TOLERANCE, facesOf, type Span, startOfRow, stepBox } from './interpolate.ts';
import { countUpTo, sliceBounds, stepOfSlice } from './slice-steps.ts';
import { createVolume } from './volume.ts';

/**
 * Class indices on another grid, nearest voxel; 0 outside the source. Labels are `[slice, row, column]` uint8.
 */
export function resampleLabels(labels: Uint8Array, source: Geometry, target: Geometry): Uint8Array {
  createVolume(labels, source);
  const pixels = target.size[0] * target.size[1];
  const out = new Uint8Array(voxelCount(target));
  const nearest = nearestVoxels(source, target);
  for (let k = 0; k < target.size[2]; k++) gather(labels, nearest(k), out, k * pixels);
  return out;
}

function gather(labels: Uint8Array, elements: Int32Array, out: Uint8Array, first: number): void {
  for (let n = 0; n < elements.length; n++) if (elements[n]! >= 0) out[first + n] = labels[elements[n]!]!;
}

/**
 * For each slice of `target`, the element number of the nearest voxel of `source`, `[row, column]` int32, -1 outside.
 * The array is used again by the next call.
 */
export function nearestVoxels(source: Geometry, target: Geometry): (slice: number) => Int32Array {
  const map = indexMap(target, source);
  const bounds = sliceBounds(source);
  const axes = map.columns.map((column) => column.findIndex((part) => part !== 0));
  const isStraight = map.columns.every((column, a) => column.every((part, axis) => axis === axes[a] || part === 0));
  if (isStraight) return nearestAlong(source, target, map, axes as [Axis, Axis, Axis], bounds);
  const [columns, rows] = target.size;
  const box = stepBox(source);
  const out = new Int32Array(rows * columns);
  return (slice) => {
    out.fill(-1);
    for (let j = 0; j < rows; j++) {
      const start = startOfRow(map, j, stepOfSlice(target, slice));
      const span = clipRow(start, map.columns[0], columns, box);
      nearestRow(source.size, start, map.columns[0], span, out.subarray(j * columns, (j + 1) * columns), bounds);
    }
    return out;
  };
}

/** The same where the axes of both grids run along each other: what a column, a row and a slice add is looked up. */
function nearestAlong(
  source: Geometry,
  target: Geometry,
  map: IndexMap,
  axes: Axes,
  bounds: readonly number[] | undefined,
): (slice: number) => Int32Array {
  const [columns, rows] = target.size;
  const box = stepBox(source);
  const strides = [1, source.size[0], source.size[0] * source.size[1]] as const;
  const along = (a: Axis): Int32Array => {
    const axis = axes[a];
    const [low, high] = facesOf(box, axis);
    const out = new Int32Array(target.size[a]).fill(-1);
    for (let n = 0; n < out.length; n++) {
      const at = map.offset[axis] + map.columns[a][axis] * (a === 2 ? stepOfSlice(target, n) : n);
      if (at >= low && at <= high)
        out[n] = strides[axis] * nearestOf(at, source.size[axis], axis === 2 ? bounds : undefined);
    }
    return out;
  };
  const [across, down, through] = [along(0), along(1), along(2)];
  const out = new Int32Array(rows * columns);
  return (slice) => {
    addUp(across, down, through[slice]!, out);
    return out;
  };
}

/** Of each row and column what the two add to a slice, -1 where one of the three lies outside. */
function addUp(across: Int32Array, down: Int32Array, deep: number, out: Int32Array): void {
  for (let j = 0, start = 0; j < down.length; j++, start += across.length) {
    const row = deep < 0 || down[j]! < 0 ? -1 : deep + down[j]!;
    for (let c = 0; c < across.length; c++) out[start + c] = row < 0 || across[c]! < 0 ? -1 : row + across[c]!;
  }
}

/** Element numbers of the nearest source voxel for the columns of `span`, written to `out[column]`. */
function nearestRow(
  size: Vec3,
  start: Vec3,
  step: Vec3,
  span: Span,
  out: Int32Array,
  bounds: readonly number[] | undefined,
): void {
  const [columns, rows, slices] = size;
  for (let c = span.first; c < span.end; c++) {
    const i = nearestOf(start[0] + c * step[0], columns, undefined);
    const j = nearestOf(start[1] + c * step[1], rows, undefined);
    const k = nearestOf(start[2] + c * step[2], slices, bounds);
    out[c] = (k * rows + j) * columns + i;
  }
}

/**
 * The voxel of `count` that lies nearest to a position; one half-way between two centres goes to the higher one on every
 * row, whatever the rounding of the map.
 *
 * @param bounds steps half-way between neighbouring slices, where their gaps differ.
 */
function nearestOf(position: number, count: number, bounds: readonly number[] | undefined): number {
  const at = position + EDGE_TOLERANCE;
  const n = bounds === undefined ? Math.floor(at + 0.5) : countUpTo(bounds, at);
  return Math.min(count - 1, Math.max(0, n));
}
