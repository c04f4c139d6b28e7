import type { Geometry, IndexMap, Vec3 } from './geometry.ts';
import type { Span } from './interpolate.ts';
import { boxWeights, type Field } from './prefilter.ts';
import { stepOfSlice } from './slice-steps.ts';

type Axis = 0 | 1 | 2;
const allAxes = [0, 1, 2] as const;

/** What runs across an axis by less than this (voxels), from end to end, runs along it. */
const straight = 1e-6;

/** The source axis along which each axis of the target runs; undefined where one runs between them. */
export function alignedAxes(map: IndexMap, target: Geometry): readonly [Axis, Axis, Axis] | undefined {
  const along = (a: Axis): Axis | undefined => {
    const reach = map.columns[a].map((part) => Math.abs(part * stepOfSlice(target, target.size[a])));
    return allAxes.find((main) => reach.every((voxels, axis) => axis === main || voxels < straight));
  };
  const [i, j, k] = allAxes.map(along);
  if (i === undefined || j === undefined || k === undefined || new Set([i, j, k]).size < 3) return undefined;
  return [i, j, k];
}

/** Voxels of an aligned target, in the order of the source's axes. */
export interface AlignedSamples {
  readonly data: Float32Array;
  /** Elements from one column, row and slice of the target to the next. */
  readonly strides: Vec3;
  /** The first column, row and slice that is there: those far outside of the source are not. */
  readonly first: Vec3;
}

/**
 * The field under a box of so many voxels along each of its axes (as `smoothAxis` lays it), trilinear at the voxels of a
 * target whose axes run along its own, edge values repeated. One axis after the other, so that each leaves less to do.
 */
export function sampleAligned(
  field: Field,
  widths: Vec3,
  target: Geometry,
  map: IndexMap,
  axes: readonly [Axis, Axis, Axis],
): AlignedSamples {
  const size = [...field.geometry.size] as [number, number, number];
  const first = [0, 0, 0] as [number, number, number];
  let { data } = field;
  // The slices first: what is far apart in memory is mixed while it is much at a time.
  for (const axis of [2, 1, 0] as const) {
    const a = axes.indexOf(axis) as Axis;
    const last = size[axis];
    const at = positions(target, map, a, axis);
    const isNear = (position: number): boolean => position > -1 && position < last;
    first[a] = Math.max(0, at.findIndex(isNear));
    const near = at.filter(isNear);
    const stride = size.slice(0, axis).reduce((product, n) => product * n, 1);
    data = sampleAxis(data, { count: last, stride }, tapsOf(near, last, widths[axis]));
    size[axis] = near.length;
  }
  const strides = [1, size[0], size[0] * size[1]] as const;
  return { data, first, strides: [strides[axes[0]], strides[axes[1]], strides[axes[2]]] };
}

/** Where the columns, rows or slices (`a`) of an aligned target lie along the source axis that they follow. */
function positions(target: Geometry, map: IndexMap, a: Axis, axis: Axis): Float64Array {
  const step = map.columns[a][axis];
  const place = (n: number): number => map.offset[axis] + step * (a === 2 ? stepOfSlice(target, n) : n);
  return Float64Array.from({ length: target.size[a] }, (_, n) => place(n));
}

/** What each sample is mixed of: `width` source indices and their weights. */
interface Taps {
  readonly width: number;
  readonly index: Int32Array;
  readonly weight: Float64Array;
}

/** A box and the linear interpolation between two of its places, in one. */
function tapsOf(at: Float64Array, count: number, boxWidth: number): Taps {
  const box = boxWidth > 1 && count > 1 ? boxWeights(boxWidth) : Float64Array.of(1);
  const reach = box.length - 1;
  const width = 2 * reach + 2;
  const index = new Int32Array(at.length * width);
  const weight = new Float64Array(at.length * width);
  for (const [n, position] of at.entries()) {
    const x = Math.min(count - 1, Math.max(0, position));
    const before = Math.floor(x);
    const share = x - before;
    for (let tap = 0; tap < width; tap++) {
      const d = tap - reach;
      index[n * width + tap] = Math.min(count - 1, Math.max(0, before + d));
      weight[n * width + tap] = (1 - share) * (box[Math.abs(d)] ?? 0) + share * (box[Math.abs(d - 1)] ?? 0);
    }
  }
  return { width, index, weight };
}

function sampleAxis(
  data: Float32Array,
  { count, stride }: { readonly count: number; readonly stride: number },
  { width, index, weight }: Taps,
): Float32Array {
  const samples = index.length / width;
  const blocks = data.length / (count * stride);
  const sampled = new Float32Array(blocks * samples * stride);
  const mixed = new Float64Array(stride);
  for (let block = 0; block < blocks; block++) {
    const start = block * count * stride;
    for (let n = 0; n < samples; n++) {
      const tap = n * width;
      const to = (block * samples + n) * stride;
      if (stride === 1) sampled[to] = mixOne(data, start, index, weight, tap, tap + width);
      else {
        mixLines(data, start, stride, index, weight, tap, tap + width, mixed);
        sampled.set(mixed, to);
      }
    }
  }
  return sampled;
}

function mixOne(
  data: Float32Array,
  start: number,
  index: Int32Array,
  weight: Float64Array,
  from: number,
  end: number,
): number {
  let sum = 0;
  for (let tap = from; tap < end; tap++) sum += weight[tap]! * data[start + index[tap]!]!;
  return sum;
}

/** Two taps at a time. */
function mixLines(
  data: Float32Array,
  start: number,
  stride: number,
  index: Int32Array,
  weight: Float64Array,
  from: number,
  end: number,
  mixed: Float64Array,
): void {
  mixed.fill(0);
  for (let tap = from; tap < end; tap += 2) {
    const a = start + index[tap]! * stride;
    const b = start + index[tap + 1]! * stride;
    const p = weight[tap]!;
    const q = weight[tap + 1]!;
    if (p === 0 && q === 0) continue;
    for (let n = 0; n < stride; n++) mixed[n]! += p * data[a + n]! + q * data[b + n]!;
  }
}

/** Writes the columns of a span of a row of the slice that is open. */
export type WriteRow = (row: number, span: Span, out: Float32Array, offset: number) => void;

/**
 * Trilinear values of an aligned target, a slice at a time: what two slices of the source and then two of its lines have
 * in common is mixed once. Beyond the outermost voxel centres the value at the centre holds.
 *
 * @returns opens a slice of a field of this size; the function that it gives is of use until the next call.
 */
export function alignedSlices(
  size: Vec3,
  target: Geometry,
  map: IndexMap,
  axes: readonly [Axis, Axis, Axis],
): (field: Float32Array, slice: number) => WriteRow {
  const strides: Vec3 = [1, size[0], size[0] * size[1]];
  const [columnAxis, rowAxis, sliceAxis] = axes;
  const [width, height] = [size[columnAxis], size[rowAxis]];
  const [columns, rows, slices] = ([0, 1, 2] as const).map((a) =>
    placesOf(positions(target, map, a, axes[a]), size[axes[a]]),
  ) as [Places, Places, Places];
  const plane = new Float64Array(width * height);
  // The last voxel stands twice, so that each has one behind it.
  const line = new Float64Array(width + 1);
  const writeRow: WriteRow = (row, span, out, offset) => {
    const upper = rows.before[row]! * width;
    const lower = Math.min(height - 1, rows.before[row]! + 1) * width;
    mix(plane, upper, lower, rows.share[row]!, line, width);
    line[width] = line[width - 1]!;
    spread(line, columns, span, out, offset);
  };
  return (field, slice) => {
    const near = slices.before[slice]! * strides[sliceAxis];
    const far = Math.min(size[sliceAxis] - 1, slices.before[slice]! + 1) * strides[sliceAxis];
    const share = slices.share[slice]!;
    for (let j = 0; j < height; j++) {
      const at = j * strides[rowAxis];
      mixAcross(field, near + at, far + at, strides[columnAxis], share, plane.subarray(j * width, (j + 1) * width));
    }
    return writeRow;
  };
}

/** The voxel before each position, and how far it is on the way to the next one. */
interface Places {
  readonly before: Int32Array;
  readonly share: Float64Array;
}

function placesOf(at: Float64Array, count: number): Places {
  const clamped = at.map((x) => Math.min(count - 1, Math.max(0, x)));
  return { before: Int32Array.from(clamped, Math.floor), share: clamped.map((x) => x - Math.floor(x)) };
}

function mix(from: Float64Array, a: number, b: number, share: number, out: Float64Array, count: number): void {
  for (let n = 0; n < count; n++) {
    const value = from[a + n]!;
    out[n] = value + share * (from[b + n]! - value);
  }
}

function mixAcross(from: Float32Array, a: number, b: number, stride: number, share: number, out: Float64Array): void {
  for (let n = 0, at = 0; n < out.length; n++, at += stride) {
    const value = from[a + at]!;
    out[n] = value + share * (from[b + at]! - value);
  }
}

function spread(line: Float64Array, { before, share }: Places, span: Span, out: Float32Array, offset: number): void {
  for (let c = span.first; c < span.end; c++) {
    const n = before[c]!;
    const value = line[n]!;
    out[offset + c] = value + share[c]! * (line[n + 1]! - value);
  }
}
