import {
  createGeometry,
  evenGrid,
  type Geometry,
  indexMap,
  indexToPatient,
  leanDegrees,
  type Vec3,
} from './geometry.ts';
import { applyWindow, findRange, type IntensityWindow } from './intensity.ts';
import { sliceOfStep } from './slice-steps.ts';
import type { Volume, VoxelArray } from './volume.ts';

/** float32 voxels `[slice, row, column]` on a grid. */
export interface Field {
  readonly data: Float32Array;
  readonly geometry: Geometry;
}

/**
 * How many source voxels one target voxel spans along each source axis (i, j, k). For an oblique target it is the
 * length of the target's spacing ellipsoid along that axis, so an isotropic target counts the same at every angle.
 */
export function findFootprint(source: Geometry, target: Geometry): Vec3 {
  // Lengths by cosines stay exactly 1 where grids agree, so that nothing is smoothed; only a leaning grid needs its inverse.
  if (leanDegrees(source.direction) > 0) {
    const { columns } = indexMap(target, source);
    const of = (axis: 0 | 1 | 2) => Math.hypot(...columns.map((column) => column[axis]));
    return [of(0), of(1), of(2)];
  }
  const along = (axis: 0 | 1 | 2): number => {
    const u = source.direction[axis];
    const parts = target.direction.map(
      (v, t) => (u[0] * v[0] + u[1] * v[1] + u[2] * v[2]) * (target.spacingMm[t] as number),
    );
    return Math.hypot(...parts) / source.spacingMm[axis];
  };
  return [along(0), along(1), along(2)];
}

/** float32 slices, one at a time. */
export interface Slices {
  readonly size: Vec3;
  /** `[row, column]`; of use until the next call. */
  readonly open: (slice: number) => Float32Array;
}

/** The slices of a volume (through `window` when given), its padding replaced by the lowest value inside the scan. */
export function openSlices(volume: Volume, window?: IntensityWindow): Slices {
  const { data, padding, geometry } = volume;
  const pixels = geometry.size[0] * geometry.size[1];
  const lowest = padding === undefined ? 0 : findRange(volume).low;
  const fill = Number.isFinite(lowest) ? lowest : 0;
  const shown = (x: number): number => (window === undefined ? x : applyWindow(x, window));
  const opened = new Float32Array(pixels);
  const table = window && tableOf(data, shown);
  return {
    size: geometry.size,
    open(slice) {
      const start = slice * pixels;
      if (table !== undefined) lookUp(start, table, opened);
      else for (let n = 0; n < pixels; n++) opened[n] = shown(data[start + n]!);
      if (padding !== undefined) fillPadding(padding, start, shown(fill), opened);
      return opened;
    },
  };
}

function fillPadding(padding: Uint8Array, start: number, value: number, out: Float32Array): void {
  for (let n = 0; n < out.length; n++) if (padding[start + n] !== 0) out[n] = value;
}

/** The slices of a field. */
export function slicesOf({ data, geometry: { size } }: Field): Slices {
  const pixels = size[0] * size[1];
  return { size, open: (slice) => data.subarray(slice * pixels, (slice + 1) * pixels) };
}

/** What a window makes of each value that stored integers of two bytes can have, by their bits. */
interface WindowTable {
  readonly bits: Uint16Array;
  readonly shown: Float32Array;
}

function tableOf(data: VoxelArray, shown: (x: number) => number): WindowTable | undefined {
  if (!(data instanceof Int16Array || data instanceof Uint16Array)) return undefined;
  const isSigned = data instanceof Int16Array;
  const table = new Float32Array(65536);
  for (let n = 0; n < table.length; n++) table[n] = shown(isSigned && n > 32767 ? n - 65536 : n);
  return { bits: new Uint16Array(data.buffer, data.byteOffset, data.length), shown: table };
}

/** Four at a time, which takes half as long. */
function lookUp(start: number, { bits, shown }: WindowTable, out: Float32Array): void {
  let n = 0;
  for (const end = out.length - 3; n < end; n += 4) {
    const a = bits[start + n]!;
    const b = bits[start + n + 1]!;
    const c = bits[start + n + 2]!;
    const d = bits[start + n + 3]!;
    out[n] = shown[a]!;
    out[n + 1] = shown[b]!;
    out[n + 2] = shown[c]!;
    out[n + 3] = shown[d]!;
  }
  for (; n < out.length; n++) out[n] = shown[bits[start + n]!]!;
}

/**
 * The volume as float32 (through `window` when given), its padding replaced by the lowest value inside the scan, and
 * averaged over blocks of `factors` voxels. An incomplete last block averages what it has.
 */
export function shrink(volume: Volume, factors: Vec3, window?: IntensityWindow): Field {
  const { geometry } = volume;
  const [columns, rows, slices] = geometry.size;
  const size: Vec3 = [Math.ceil(columns / factors[0]), Math.ceil(rows / factors[1]), Math.ceil(slices / factors[2])];
  const { open } = openSlices(volume, window);
  const averaged = new Float32Array(size[0] * size[1] * size[2]);
  if (factors.every((f) => f === 1)) {
    for (let k = 0; k < slices; k++) averaged.set(open(k), k * columns * rows);
    return { data: averaged, geometry };
  }
  const members = (n: number, axis: 0 | 1 | 2): number =>
    Math.min(factors[axis], geometry.size[axis] - n * factors[axis]);
  for (let k = 0; k < slices; k++) {
    const values = open(k);
    let n = 0;
    for (let j = 0; j < rows; j++) {
      const to = (Math.floor(k / factors[2]) * size[1] + Math.floor(j / factors[1])) * size[0];
      const share = 1 / (members(Math.floor(k / factors[2]), 2) * members(Math.floor(j / factors[1]), 1));
      for (let i = 0; i < columns; i++) {
        const block = Math.floor(i / factors[0]);
        averaged[to + block]! += (values[n++]! * share) / members(block, 0);
      }
    }
  }
  return { data: averaged, geometry: shrunkGeometry(geometry, factors, size) };
}

/** Slices at uneven gaps brought to a slice a step, each linear between its neighbours; beyond the last, the last. */
export function spreadSlices({ data, geometry }: Field): Field {
  const even = evenGrid(geometry);
  const [columns, rows, count] = geometry.size;
  const pixels = columns * rows;
  const spread = new Float32Array(pixels * even.size[2]);
  for (let step = 0; step < even.size[2]; step++) {
    const at = Math.min(count - 1, sliceOfStep(geometry, step));
    const before = Math.min(count - 2, Math.floor(at));
    const share = at - before;
    const [from, to] = [before * pixels, step * pixels];
    for (let n = 0; n < pixels; n++) {
      const value = data[from + n]!;
      spread[to + n] = value + share * (data[from + pixels + n]! - value);
    }
  }
  return { data: spread, geometry: even };
}

/**
 * Low-pass along one axis, in place: a box as wide as `width` voxels (fractions allowed, symmetric, so a linear ramp
 * stays what it is), edge values repeated. Nothing happens for a width <= 1.
 */
export function smoothAxis(field: Field, axis: 0 | 1 | 2, width: number): void {
  const { data, geometry } = field;
  const [columns, rows] = geometry.size;
  const count = geometry.size[axis];
  if (width <= 1 || count === 1) return;
  const weights = boxWeights(width);
  const reach = weights.length - 1;
  const stride = [1, columns, columns * rows][axis]!;
  // A line is what moves together along the axis: one voxel along i, one row along j and k. Few lines fit the cache.
  const line = axis === 0 ? 1 : columns;
  const lines = new Float32Array((count + 2 * reach) * line);
  const mixed = new Float32Array(count * line);
  for (let block = 0; block < data.length; block += stride * count) {
    for (let start = block; start < block + stride; start += line) {
      gatherLines(data, lines, { start, stride, line, count, reach });
      mixLines(lines, mixed, line, weights);
      if (stride === line) data.set(mixed, start);
      else for (let n = 0; n < count; n++) data.set(mixed.subarray(n * line, (n + 1) * line), start + n * stride);
    }
  }
}

/** Copies `count` lines that lie `stride` apart side by side, the first and last one repeated `reach` times. */
function gatherLines(
  data: Float32Array,
  lines: Float32Array,
  from: {
    readonly start: number;
    readonly stride: number;
    readonly line: number;
    readonly count: number;
    readonly reach: number;
  },
): void {
  const { start, stride, line, count, reach } = from;
  if (stride === line) lines.set(data.subarray(start, start + count * line), reach * line);
  else
    for (let n = 0; n < count; n++)
      lines.set(data.subarray(start + n * stride, start + n * stride + line), (reach + n) * line);
  const last = (reach + count - 1) * line;
  for (let d = 0; d < reach; d++) {
    lines.copyWithin(d * line, reach * line, (reach + 1) * line);
    lines.copyWithin(last + (d + 1) * line, last, last + line);
  }
}

/** Weighted sum of each line with its neighbours before and after. */
function mixLines(lines: Float32Array, mixed: Float32Array, line: number, weights: Float64Array): void {
  const reach = weights.length - 1;
  const middle = reach * line;
  const centre = weights[0]!;
  const outer = weights[reach]!;
  for (let t = 0; t < mixed.length; t++)
    mixed[t] = centre * lines[t + middle]! + outer * (lines[t]! + lines[t + 2 * middle]!);
  for (let d = 1; d < reach; d++) {
    const weight = weights[d]!;
    const shift = d * line;
    for (let t = 0; t < mixed.length; t++)
      mixed[t]! += weight * (lines[t + middle - shift]! + lines[t + middle + shift]!);
  }
}

/** Weights of the centre and of each pair of neighbours of a box of fractional width. */
export function boxWeights(width: number): Float64Array {
  const reach = (width - 1) / 2;
  const weights = new Float64Array(Math.ceil(reach) + 1);
  for (let d = 0; d < weights.length; d++) weights[d] = Math.min(1, reach - d + 1) / width;
  return weights;
}

function shrunkGeometry(g: Geometry, factors: Vec3, size: Vec3): Geometry {
  return createGeometry({
    size,
    spacingMm: [g.spacingMm[0] * factors[0], g.spacingMm[1] * factors[1], g.spacingMm[2] * factors[2]],
    origin: indexToPatient(g, [(factors[0] - 1) / 2, (factors[1] - 1) / 2, (factors[2] - 1) / 2]),
    direction: g.direction,
  });
}
