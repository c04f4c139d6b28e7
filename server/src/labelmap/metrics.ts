import { type Geometry, leanDegrees, sameGrid, sliceStepMm, stepsToPatient, type Vec3 } from '../volume/geometry.ts';
import { sliceShares, stepOfSlice } from '../volume/slice-steps.ts';
import { squaredDistances } from './distance.ts';
import type { Labelmap } from './labelmap.ts';
import { RunReader } from './runs.ts';

/** Voxel counts of one class in two labelmaps. */
export interface Overlap {
  readonly a: number;
  readonly b: number;
  readonly both: number;
}

/** Two labelmaps are on one grid when their corners agree to this. */
const GRID_TOLERANCE_MM = 0.01;

/** Counts one class in two arrays of the same length. */
export function countOverlap(a: ArrayLike<number>, b: ArrayLike<number>, value: number): Overlap {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} labels cannot be compared`);
  let inA = 0;
  let inB = 0;
  let both = 0;
  for (let n = 0; n < a.length; n++) {
    const isA = a[n] === value;
    const isB = b[n] === value;
    if (isA) inA++;
    if (isB) inB++;
    if (isA && isB) both++;
  }
  return { a: inA, b: inB, both };
}

/** Dice of two counts. Rule for absence: both empty is 1 (agreed), one empty is 0 (false alarm or miss). */
export function diceOf(overlap: Overlap): number {
  const sum = overlap.a + overlap.b;
  return sum === 0 ? 1 : (2 * overlap.both) / sum;
}

/** Dice of one segment of two labelmaps on the same grid; absence as in {@link diceOf}. Other grids: `RangeError`. */
export function dice(a: Labelmap, b: Labelmap, segmentNumber: number): number {
  checkGrids(a, b);
  return diceOf(countOverlap(a.data, b.data, segmentNumber));
}

/**
 * Millilitres of a number of voxels one step thick (a voxel of an uneven grid counts as its slice's share of steps): by the
 * distances between voxel centres and between slices, not by slice thickness.
 */
export function voxelsToMl(voxels: number, geometry: Geometry): number {
  const [column, row] = geometry.spacingMm;
  return (voxels * column * row * sliceStepMm(geometry)) / 1000;
}

/** How much of a labelmap one segment takes, and where. */
export interface SegmentExtent {
  readonly number: number;
  readonly voxels: number;
  readonly ml: number;
  /** Mean of the voxel centres, LPS mm; null without a voxel. It need not lie inside the segment. */
  readonly centre: Vec3 | null;
}

/** The extent of each segment of a labelmap, in the order of `segments`. */
export function measureSegments({ data, geometry, segments }: Labelmap): readonly SegmentExtent[] {
  const [columns, rows] = geometry.size;
  const shares = sliceShares(geometry);
  const counts = new Uint32Array(256);
  // Per label, voxels weighted by the share of their slice: how many, and the sums of their indices i and j and of their steps.
  const sums = new Float64Array(256 * 4);
  for (const runs = new RunReader(data, columns); runs.next(); ) {
    const { label, start, end } = runs;
    const row = Math.floor(start / columns);
    const k = Math.floor(row / rows);
    const weight = shares[k]! * (end - start);
    const at = label * 4;
    counts[label]! += end - start;
    sums[at]! += weight;
    sums[at + 1]! += weight * ((start + end - 1) / 2 - row * columns);
    sums[at + 2]! += weight * (row - k * rows);
    sums[at + 3]! += weight * stepOfSlice(geometry, k);
  }
  return segments.map(({ number }) => {
    const [weight = 0, i = 0, j = 0, step = 0] = sums.subarray(number * 4);
    const centre = weight === 0 ? null : stepsToPatient(geometry, [i / weight, j / weight, step / weight]);
    return { number, voxels: counts[number] ?? 0, ml: voxelsToMl(weight, geometry), centre };
  });
}

/**
 * 95th percentile Hausdorff distance of one segment, mm: the larger of the two directed 95th percentiles between
 * surface voxels (those with a face neighbour outside the segment). 0 when both are empty, null when one is: there is
 * no distance to nothing, and JSON has no Infinity. Other grids, and leaning or uneven ones: `RangeError`.
 */
export function hausdorff95Mm(a: Labelmap, b: Labelmap, segmentNumber: number): number | null {
  checkGrids(a, b);
  if (leanDegrees(a.geometry.direction) > 0 || a.geometry.sliceSteps)
    throw new RangeError('distances on a leaning or uneven grid are not measured');
  const box = boundingBox([a, b], segmentNumber);
  if (box === null) return 0;
  const surfaceA = cropSurface(a, segmentNumber, box);
  const surfaceB = cropSurface(b, segmentNumber, box);
  if (!surfaceA.includes(1) || !surfaceB.includes(1)) return null;
  const spacing = a.geometry.spacingMm;
  const toB = directed95(surfaceA, squaredDistances(surfaceB, box.size, spacing));
  const toA = directed95(surfaceB, squaredDistances(surfaceA, box.size, spacing));
  return Math.max(toA, toB);
}

interface VoxelBox {
  readonly low: Vec3;
  readonly size: Vec3;
}

function checkGrids(a: Labelmap, b: Labelmap): void {
  if (!sameGrid(a.geometry, b.geometry, GRID_TOLERANCE_MM))
    throw new RangeError(`labelmaps of ${a.geometry.size} and ${b.geometry.size} voxels are on different grids`);
}

/** The smallest box that holds the segment in all labelmaps, or null when none has it. */
function boundingBox(labelmaps: readonly Labelmap[], value: number): VoxelBox | null {
  const low = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  const high = [-1, -1, -1];
  for (const { data, geometry } of labelmaps) {
    const [columns, rows] = geometry.size;
    for (let n = 0; n < data.length; n++) {
      if (data[n] !== value) continue;
      const index = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
      for (let axis = 0; axis < 3; axis++) {
        low[axis] = Math.min(low[axis]!, index[axis]!);
        high[axis] = Math.max(high[axis]!, index[axis]!);
      }
    }
  }
  if (high[0]! < 0) return null;
  const length = (axis: number): number => high[axis]! - low[axis]! + 1;
  return { low: [low[0]!, low[1]!, low[2]!], size: [length(0), length(1), length(2)] };
}

/** Surface voxels of the segment as 0 and 1 on the box. */
function cropSurface(labelmap: Labelmap, value: number, box: VoxelBox): Uint8Array {
  const [columns, rows, slices] = labelmap.geometry.size;
  const isIn = (i: number, j: number, k: number): boolean =>
    i >= 0 && j >= 0 && k >= 0 && i < columns && j < rows && k < slices
      ? labelmap.data[(k * rows + j) * columns + i] === value
      : false;
  const surface = new Uint8Array(box.size[0] * box.size[1] * box.size[2]);
  let n = 0;
  for (let k = box.low[2]; k < box.low[2] + box.size[2]; k++) {
    for (let j = box.low[1]; j < box.low[1] + box.size[1]; j++) {
      for (let i = box.low[0]; i < box.low[0] + box.size[0]; i++, n++) {
        if (!isIn(i, j, k)) continue;
        const isInner =
          isIn(i - 1, j, k) &&
          isIn(i + 1, j, k) &&
          isIn(i, j - 1, k) &&
          isIn(i, j + 1, k) &&
          isIn(i, j, k - 1) &&
          isIn(i, j, k + 1);
        surface[n] = isInner ? 0 : 1;
      }
    }
  }
  return surface;
}

/** The smallest distance (mm) that at least 95 % of the surface voxels do not exceed. */
function directed95(surface: Uint8Array, squared: Float64Array): number {
  const distances = squared.filter((_, n) => surface[n] === 1).sort();
  return Math.sqrt(distances[Math.ceil(0.95 * distances.length) - 1]!);
}
