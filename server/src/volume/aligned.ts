import type { Geometry, IndexMap, Vec3 } from './geometry.ts';
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
    const at = Float64Array.from({ length: target.size[a] }, (_, n) => {
      return map.offset[axis] + map.columns[a][axis] * (a === 2 ? stepOfSlice(target, n) : n);
    });
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
