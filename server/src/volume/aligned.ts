import type { Geometry, IndexMap, Vec3 } from './geometry.ts';
import { boxWeights, type Slices } from './prefilter.ts';
import { stepOfSlice } from './slice-steps.ts';

/** Of columns, rows or slices. */
export type Axis = 0 | 1 | 2;

/** The source axis along which the columns, rows and slices of a target run. */
export type Axes = readonly [Axis, Axis, Axis];

const allAxes = [0, 1, 2] as const;

/** What runs across an axis by less than this (voxels), from end to end, runs along it. */
const straight = 1e-6;

/** The source axis along which each axis of the target runs; undefined where one runs between them. */
export function alignedAxes(map: IndexMap, target: Geometry): Axes | undefined {
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
 * A source under a box of so many voxels along each of its axes (as `smoothAxis` lays it), trilinear at the voxels of a
 * target whose axes run along its own, edge values repeated. One axis after the other, so that each leaves less to do;
 * rows and columns while a slice is at hand, so that the source is never there as a whole.
 */
export function sampleAligned(
  { size, open }: Slices,
  widths: Vec3,
  target: Geometry,
  map: IndexMap,
  axes: Axes,
): AlignedSamples {
  const near = allAxes.map((axis) => nearSamples(target, map, axes.indexOf(axis) as Axis, axis, size[axis]));
  const [columns, rows, slices] = near.map(({ at }, axis) => tapsOf(at, size[axis]!, widths[axis]!)) as [
    Taps,
    Taps,
    Taps,
  ];
  const [width, height] = [near[0]!.at.length, near[1]!.at.length];
  const pixels = width * height;
  const planes = new Float32Array(pixels * size[2]);
  const lines = new Float32Array(size[0] * height);
  for (let k = 0; k < size[2]; k++) {
    mixLines(open(k), size[0], rows, lines);
    mixPixels(lines, size[0], columns, planes.subarray(k * pixels, (k + 1) * pixels));
  }
  const data = new Float32Array(pixels * near[2]!.at.length);
  mixLines(planes, pixels, slices, data);
  const strides = [1, width, width * height] as const;
  const along = (a: Axis) => near[axes[a]]!.first;
  return {
    data,
    first: [along(0), along(1), along(2)],
    strides: [strides[axes[0]], strides[axes[1]], strides[axes[2]]],
  };
}

/** Where those columns, rows or slices (`a`) of a target lie that are not far outside of the source, and the first of them. */
function nearSamples(target: Geometry, map: IndexMap, a: Axis, axis: Axis, count: number) {
  const at = positions(target, map, a, axis);
  const isNear = (position: number): boolean => position > -1 && position < count;
  return { at: at.filter(isNear), first: Math.max(0, at.findIndex(isNear)) };
}

/** Where the columns, rows or slices (`a`) of an aligned target lie along the source axis that they follow. */
export function positions(target: Geometry, map: IndexMap, a: Axis, axis: Axis): Float64Array {
  const step = map.columns[a][axis];
  const place = (n: number): number => map.offset[axis] + step * (a === 2 ? stepOfSlice(target, n) : n);
  return Float64Array.from({ length: target.size[a] }, (_, n) => place(n));
}

/** What each sample is mixed of: `width` source indices, a multiple of four, and their weights. */
interface Taps {
  readonly width: number;
  readonly index: Int32Array;
  readonly weight: Float64Array;
}

/** A box and the linear interpolation between two of its places, in one. */
function tapsOf(at: Float64Array, count: number, boxWidth: number): Taps {
  const box = boxWidth > 1 && count > 1 ? boxWeights(boxWidth) : Float64Array.of(1);
  const reach = box.length - 1;
  const width = 4 * Math.ceil((2 * reach + 2) / 4);
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

/** Each line of `out` of the lines, `stride` long, that its taps name. */
function mixLines(data: Float32Array, stride: number, { width, index, weight }: Taps, out: Float32Array): void {
  for (let to = 0, tap = 0; to < out.length; to += stride)
    for (const first = tap, end = tap + width; tap < end; tap += 4)
      mixFour(data, stride, index, weight, tap, out, to, tap === first);
}

function mixFour(
  data: Float32Array,
  stride: number,
  index: Int32Array,
  weight: Float64Array,
  tap: number,
  out: Float32Array,
  to: number,
  isFirst: boolean,
): void {
  const a = index[tap]! * stride;
  const b = index[tap + 1]! * stride;
  const c = index[tap + 2]! * stride;
  const d = index[tap + 3]! * stride;
  const p = weight[tap]!;
  const q = weight[tap + 1]!;
  const r = weight[tap + 2]!;
  const s = weight[tap + 3]!;
  if (!isFirst)
    for (let n = 0; n < stride; n++)
      out[to + n]! += p * data[a + n]! + q * data[b + n]! + r * data[c + n]! + s * data[d + n]!;
  else if (r === 0 && s === 0) for (let n = 0; n < stride; n++) out[to + n] = p * data[a + n]! + q * data[b + n]!;
  else if (s === 0)
    for (let n = 0; n < stride; n++) out[to + n] = p * data[a + n]! + q * data[b + n]! + r * data[c + n]!;
  else
    for (let n = 0; n < stride; n++)
      out[to + n] = p * data[a + n]! + q * data[b + n]! + r * data[c + n]! + s * data[d + n]!;
}

/** Each pixel of `out` of the pixels of its line, `stride` long, that its taps name. */
function mixPixels(data: Float32Array, stride: number, taps: Taps, out: Float32Array): void {
  const { width, index, weight } = taps;
  if (width === 4) {
    mixColumns(data, stride, taps, out);
    return;
  }
  for (let start = 0, to = 0; to < out.length; start += stride)
    for (let tap = 0; tap < index.length; to++) {
      let sum = 0;
      for (const end = tap + width; tap < end; tap += 4)
        sum +=
          weight[tap]! * data[start + index[tap]!]! +
          weight[tap + 1]! * data[start + index[tap + 1]!]! +
          weight[tap + 2]! * data[start + index[tap + 2]!]! +
          weight[tap + 3]! * data[start + index[tap + 3]!]!;
      out[to] = sum;
    }
}

/** The same with four taps: a column of all lines after the other, so that its taps are read once. */
function mixColumns(data: Float32Array, stride: number, { index, weight }: Taps, out: Float32Array): void {
  const columns = index.length / 4;
  for (let column = 0, tap = 0; column < columns; column++, tap += 4) {
    const p = weight[tap]!;
    const q = weight[tap + 1]!;
    const r = weight[tap + 2]!;
    const s = weight[tap + 3]!;
    let a = index[tap]!;
    let b = index[tap + 1]!;
    let c = index[tap + 2]!;
    let d = index[tap + 3]!;
    for (let to = column; to < out.length; to += columns) {
      out[to] = p * data[a]! + q * data[b]! + r * data[c]! + s * data[d]!;
      a += stride;
      b += stride;
      c += stride;
      d += stride;
    }
  }
}
