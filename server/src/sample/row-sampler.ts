import { type Lesion, lesionLevel, lesionRadius } from './lesion.ts';
import type { Subject } from './subject.ts';
import { truthOf } from './task.ts';
import { createTracer, longestRow, type Row, type Trace } from './trace.ts';

/**
 * Adds a row of places to running sums: level times receive field to `signal` (float32), and 1 to `hits[segment - 1]`
 * (uint8) where the place belongs to a segment of the task.
 */
export type RowSampler = (row: Row, signal: Float32Array, hits: readonly Uint8Array[]) => void;

/** What is found at the places of a row; arrays are reused. */
interface Found {
  /** float64, before the receive field. */
  readonly level: Float64Array;
  /** Segment number by {@link truthOf}, 0 outside. */
  readonly segment: Uint8Array;
}

/** Soft edge of a lesion, in units of its radius. */
const edge = 0.12;

/** Makes the sampler of a subject; it reuses its scratch rows, so use it from one place at a time. */
export function createRowSampler(subject: Subject): RowSampler {
  const { lesion } = subject;
  const trace = createTracer(subject.warp);
  const found: Found = { level: new Float64Array(longestRow), segment: new Uint8Array(longestRow) };
  const truth = truthOf(subject.colin, subject.task);
  return (row, signal, hits) => {
    const count = signal.length;
    const places = trace(row, count);
    readTissue(subject, truth, places, count, found);
    if (lesion === undefined) countHits(found.segment, count, hits);
    else addLesion(lesion, places, count, found, hits[0]!);
    for (let n = 0; n < count; n++) signal[n]! += found.level[n]! * places.bias[n]!;
  };
}

function countHits(segment: Uint8Array, count: number, hits: readonly Uint8Array[]): void {
  for (let n = 0; n < count; n++) {
    const of = segment[n]!;
    if (of > 0) hits[of - 1]![n]!++;
  }
}

/** Levels are mixed after the tissue was given its brightness, as a scanner does; the truth is that of the next voxel. */
function readTissue(
  { colin, appearance }: Subject,
  truth: Uint8Array,
  { i, j, k, isBelow }: Trace,
  count: number,
  found: Found,
): void {
  const { codes, levels, air } = appearance;
  const [columns, rows, slices] = colin.t1.geometry.size;
  const plane = columns * rows;
  for (let n = 0; n < count; n++) {
    const [x, y, z] = [i[n]!, j[n]!, k[n]!];
    found.level[n] = air;
    found.segment[n] = 0;
    if (!(x >= 0 && y >= 0 && x < columns - 1 && y < rows - 1 && z < slices - 1)) continue;
    const [cx, cy, cz] = [Math.floor(x), Math.floor(y), Math.floor(z)];
    const [fx, fy, fz] = [x - cx, y - cy, z - cz];
    const o = cz * plane + cy * columns + cx;
    const a = levels[codes[o]!]!;
    const b = levels[codes[o + columns]!]!;
    const c = levels[codes[o + plane]!]!;
    const d = levels[codes[o + plane + columns]!]!;
    const p = a + fx * (levels[codes[o + 1]!]! - a);
    const q = b + fx * (levels[codes[o + columns + 1]!]! - b);
    const r = c + fx * (levels[codes[o + plane + 1]!]! - c);
    const s = d + fx * (levels[codes[o + plane + columns + 1]!]! - d);
    const low = p + fy * (q - p);
    found.level[n] = low + fz * (r + fy * (s - r) - low);
    const nearest = o + (fx >= 0.5 ? 1 : 0) + (fy >= 0.5 ? columns : 0) + (fz >= 0.5 ? plane : 0);
    if (isBelow[n] === 0) found.segment[n] = truth[nearest]!;
  }
}

/** A lesion lies in the brain only. */
function addLesion(
  lesion: Lesion,
  { i, j, k }: Trace,
  count: number,
  { level, segment }: Found,
  hits: Uint8Array,
): void {
  const [ci, cj, ck] = lesion.centre;
  for (let n = 0; n < count; n++) {
    if (segment[n] === 0) continue;
    const [di, dj, dk] = [i[n]! - ci, j[n]! - cj, k[n]! - ck];
    if (di * di + dj * dj + dk * dk >= lesion.reach * lesion.reach) continue;
    const radius = lesionRadius(lesion, di, dj, dk);
    const share = Math.max(0, Math.min(1, (1 - radius) / edge + 0.5));
    if (share > 0) level[n]! += share * (lesionLevel(lesion, di, dj, dk) - level[n]!);
    if (radius <= 1) hits[n]!++;
  }
}
