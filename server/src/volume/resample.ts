import { alignedAxes, sampleAligned } from './aligned.ts';
import { AlignedRuns } from './aligned-carry.ts';
import { evenGrid, type Geometry, indexMap, type Vec3, voxelCount } from './geometry.ts';
import type { IntensityWindow } from './intensity.ts';
import { type Box, clipRow, interpolateRow, type Span, startOfRow, stepBox, wholeBox } from './interpolate.ts';
import { type Field, findFootprint, openSlices, shrink, slicesOf, smoothAxis, spreadSlices } from './prefilter.ts';
import { stepOfSlice } from './slice-steps.ts';
import { createVolume, type Volume } from './volume.ts';

/** Smoothing on the source's own voxels stops here; more is first averaged in blocks, which saves memory and time. */
const LONGEST_BOX = 4;

/** What {@link resample} needs to know besides the grids. */
export interface ResampleOptions {
  /** Value of target voxels outside the source, in the unit of the result. */
  readonly outside: number;
  /** Maps values to [0, 1] before anything is mixed, so that padding without a tag weighs no more than air. */
  readonly window?: IntensityWindow;
}

/** A volume on a new grid. */
export interface Resampled {
  readonly volume: Volume & { readonly data: Float32Array };
  /** One byte a target voxel: 1 = its centre lies outside the box of the source's voxels. */
  readonly outside: Uint8Array;
}

/**
 * The volume on another grid: trilinear, float32. Slices at uneven gaps are first brought to even steps, linear between
 * neighbours. Along source axes where the target is coarser a box as wide as the
 * target's spacing is laid over the source first (no aliasing). Padding voxels are replaced by the lowest value inside
 * the scan before anything is mixed. Between the outer voxel centres and the outer faces the edge value
 * holds.
 */
export function resample(volume: Volume, target: Geometry, options: ResampleOptions): Resampled {
  const even = evenGrid(volume.geometry);
  const footprint = findFootprint(even, target);
  const factor = (axis: 0 | 1 | 2): number =>
    footprint[axis] >= LONGEST_BOX ? Math.min(Math.floor(footprint[axis] / 2), even.size[axis]) : 1;
  const factors: Vec3 = [factor(0), factor(1), factor(2)];
  const widths: Vec3 = [footprint[0] / factors[0], footprint[1] / factors[1], footprint[2] / factors[2]];
  const { outside, spans } = outsideSpans(volume.geometry, target);
  const out = new Float32Array(voxelCount(target)).fill(options.outside);
  const isWhole = even === volume.geometry && factors.every((factor) => factor === 1);
  const field = isWhole ? undefined : fieldOf(volume, even, factors, options.window);
  const geometry = field?.geometry ?? even;
  const map = indexMap(target, geometry);
  const axes = alignedAxes(map, target);
  if (axes === undefined) {
    const { data } = smooth(field ?? shrink(volume, factors, options.window), widths);
    forEachRow(target, spans, (j, k, span, offset) => {
      const start = startOfRow(map, j, stepOfSlice(target, k));
      interpolateRow(data, geometry.size, start, map.columns[0], span, out, offset);
    });
  } else {
    const slices = field ? slicesOf(field) : openSlices(volume, options.window);
    const { data, strides, first } = sampleAligned(slices, widths, target, map, axes);
    forEachRow(target, spans, (j, k, span, offset) => {
      let from = (j - first[1]) * strides[1] + (k - first[2]) * strides[2] + (span.first - first[0]) * strides[0];
      if (strides[0] === 1) out.set(data.subarray(from, from + span.end - span.first), offset + span.first);
      else for (let n = offset + span.first; n < offset + span.end; n++, from += strides[0]) out[n] = data[from]!;
    });
  }
  return { volume: createVolume(out, target), outside };
}

/** Averaged in blocks, or at even steps where the slices are not. */
function fieldOf(volume: Volume, even: Geometry, factors: Vec3, window: IntensityWindow | undefined): Field {
  if (even === volume.geometry) return shrink(volume, factors, window);
  return shrink(spreadSlices(shrink(volume, [1, 1, 1], window)), factors);
}

function smooth(field: Field, widths: Vec3): Field {
  for (const axis of [0, 1, 2] as const) smoothAxis(field, axis, widths[axis]);
  return field;
}

/**
 * Carries arrays from one grid to another a slice at a time, trilinear, without smoothing: for probabilities, which are
 * then decided where the reader looks. Memory is one target slice for each array.
 *
 * Returned function: the values of slice `k` of `target` for each of `fields` (each `[slice, row, column]` float32 on
 * `source`, an even grid), `[row, column]`, 0 outside `box` (default: the whole source). Its arrays are used again by the
 * next call.
 */
export function sliceMapper(
  fields: readonly Float32Array[],
  source: Geometry,
  target: Geometry,
  box: Box = wholeBox(source.size),
): (slice: number) => readonly Float32Array[] {
  for (const field of fields) createVolume(field, source);
  if (source.sliceSteps) throw new RangeError('slices are carried from an even grid only');
  const map = indexMap(target, source);
  const [columns, rows] = target.size;
  const out = fields.map(() => new Float32Array(rows * columns));
  const axes = alignedAxes(map, target);
  const aligned = axes && new AlignedRuns(source.size, target, map, axes);
  return (slice) => {
    const step = stepOfSlice(target, slice);
    const spans = Array.from({ length: rows }, (_, j) =>
      clipRow(startOfRow(map, j, step), map.columns[0], columns, box),
    );
    for (const [n, values] of out.entries()) {
      const field = fields[n]!;
      values.fill(0);
      if (spans.every(({ end }) => end === 0)) continue;
      for (const [j, span] of spans.entries()) {
        if (span.end === 0) continue;
        if (aligned) aligned.mix(field, slice, j, span.first, span.end, values);
        else interpolateRow(field, source.size, startOfRow(map, j, step), map.columns[0], span, values, j * columns);
      }
    }
    return out;
  };
}

/** For each target row the columns inside the source box, and the rest as one byte a voxel (1 = outside). */
function outsideSpans(source: Geometry, target: Geometry): { outside: Uint8Array; spans: Int32Array } {
  const map = indexMap(target, source);
  const box = stepBox(source);
  const [columns, rows, slices] = target.size;
  const spans = new Int32Array(2 * rows * slices);
  const outside = new Uint8Array(voxelCount(target)).fill(1);
  for (let row = 0; row < rows * slices; row++) {
    const start = startOfRow(map, row % rows, stepOfSlice(target, Math.floor(row / rows)));
    const span = clipRow(start, map.columns[0], columns, box);
    spans[2 * row] = span.first;
    spans[2 * row + 1] = span.end;
    outside.fill(0, row * columns + span.first, row * columns + span.end);
  }
  return { outside, spans };
}

/** Rows that are inside somewhere, with their row, slice, span and first element. */
function forEachRow(
  { size: [columns, rows, slices] }: Geometry,
  spans: Int32Array,
  visit: (row: number, slice: number, span: Span, offset: number) => void,
): void {
  for (let row = 0; row < rows * slices; row++) {
    const span = { first: spans[2 * row]!, end: spans[2 * row + 1]! };
    if (span.end > span.first) visit(row % rows, Math.floor(row / rows), span, row * columns);
  }
}
