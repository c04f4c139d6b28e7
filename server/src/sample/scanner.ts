import { Random } from '../engine/random.ts';
import { type Geometry, type Plane, planeGrid, type Vec3 } from '../volume/geometry.ts';
import { type CtReceiver, drawCtReceiver, receiveCt } from './ct-receiver.ts';
import { drawMrReceiver, type MrReceiver, receiveMr } from './mr-receiver.ts';
import { createRowSampler } from './row-sampler.ts';
import type { Subject, SubjectOptions } from './subject.ts';
import { modalityOf, sampleTasks } from './task.ts';
import { variationOf } from './variation.ts';

/** How a subject is scanned: what lies in the field of view, and what happens to the signal. */
export interface Scan {
  /** Patient position (LPS, mm) of the head centre. */
  readonly headCentre: Vec3;
  /** Grid of the acquisition, `[i, j, k]` in the plane's own axes. */
  readonly geometry: Geometry;
  /** The same voxels along the patient axes. */
  readonly grid: PatientGrid;
  /** Places (LPS, mm) about a voxel centre whose mean is its signal: slice thickness and blur. */
  readonly spread: readonly Vec3[];
  /** sd of the noise, in levels. */
  readonly noise: number;
  readonly receiver: MrReceiver | CtReceiver;
}

/** A grid along the patient axes: voxel n of axis a lies `start[a] + n * step[a]` mm from the head centre, step > 0. */
export interface PatientGrid {
  readonly size: Vec3;
  readonly start: Vec3;
  readonly step: Vec3;
}

/** Draws field of view, slice profile, noise and receiver by seed. */
export function drawScan(options: SubjectOptions, plane: Plane, spacingMm: Vec3, isStripped: boolean): Scan {
  const random = Random.for(options.seed, 'scan');
  const isWide = options.variation === 'wide';
  const headCentre: Vec3 = isWide
    ? [random.uniform(-40, 40), random.uniform(-40, 40), random.uniform(-80, 80)]
    : [0, 17, 19];
  const box = isWide ? drawWideField(random) : { low: [-96, -112, -96] as Vec3, size: [192, 224, 192] as Vec3 };
  const geometry = planeGrid(boxGeometry(box, headCentre), plane, spacingMm);
  const grid = patientGrid(geometry, headCentre);
  const noise = random.uniform(...variationOf(options).noise) + (options.domain === 'G' ? 0.04 : 0);
  const blurMm = isWide && random.next() < 0.4 ? random.uniform(0.5, 1.6) : 0;
  const receiver =
    modalityOf(options.task) === 'CT' ? drawCtReceiver(random) : drawMrReceiver(random, isWide, isStripped, grid);
  return { headCentre, geometry, grid, spread: spreadOf(geometry, blurMm), noise, receiver };
}

/** Fields of view that hospitals send: with neck and shoulders or cut at any face, thick slabs, off centre. */
function drawWideField(random: Random): { readonly low: Vec3; readonly size: Vec3 } {
  const isCut = random.next() < 0.12;
  const width = isCut ? random.uniform(110, 170) : random.uniform(170, 262);
  const depth = isCut ? random.uniform(120, 190) : random.uniform(195, 272);
  const offCentre = isCut ? 30 : 12;
  const centre = [random.uniform(-offCentre, offCentre), random.uniform(-offCentre, offCentre)] as const;
  let bottom = random.next() < 0.3 ? random.uniform(-210, -110) : random.uniform(-125, -70);
  let top = random.next() < 0.2 ? random.uniform(100, 140) : random.uniform(75, 108);
  if (random.next() < 0.15) {
    const height = random.uniform(30, 100);
    bottom = random.uniform(-110, 95 - height);
    top = bottom + height;
  }
  const size: Vec3 = [Math.round(width), Math.round(depth), Math.round(top - bottom)];
  return { low: [centre[0] - size[0] / 2, centre[1] - size[1] / 2, bottom], size };
}

/** The field as a 1 mm axial grid, LPS. */
function boxGeometry(box: { readonly low: Vec3; readonly size: Vec3 }, headCentre: Vec3): Geometry {
  const at = (axis: 0 | 1 | 2): number => headCentre[axis] + box.low[axis] + 0.5;
  return {
    size: box.size,
    spacingMm: [1, 1, 1],
    origin: [at(0), at(1), at(2)],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  };
}

/** Patient axis along which index axis `a` runs, and whether it runs towards smaller coordinates. */
export function indexAxis(
  geometry: Geometry,
  a: 0 | 1 | 2,
): { readonly axis: 0 | 1 | 2; readonly isReversed: boolean } {
  const direction = geometry.direction[a];
  const axis = direction.findIndex((cosine) => Math.abs(cosine) === 1) as 0 | 1 | 2;
  return { axis, isReversed: direction[axis] < 0 };
}

/** A grid along patient axes (see {@link indexAxis}) seen from the head centre. */
export function patientGrid(geometry: Geometry, headCentre: Vec3): PatientGrid {
  const size: [number, number, number] = [0, 0, 0];
  const start: [number, number, number] = [0, 0, 0];
  const step: [number, number, number] = [0, 0, 0];
  for (const a of [0, 1, 2] as const) {
    const { axis, isReversed } = indexAxis(geometry, a);
    size[axis] = geometry.size[a];
    step[axis] = geometry.spacingMm[a];
    const back = isReversed ? (size[axis] - 1) * step[axis] : 0;
    start[axis] = geometry.origin[axis] - back - headCentre[axis];
  }
  return { size, start, step };
}

/** Places over the slice thickness (every 1.5 mm or less often), each moved to a corner of the blur. */
function spreadOf(geometry: Geometry, blurMm: number): readonly Vec3[] {
  const thickness = geometry.spacingMm[2];
  const along = Math.max(1, Math.min(4, Math.round(thickness / 1.5)));
  const count = blurMm > 0 ? Math.max(4, along) : along;
  return Array.from({ length: count }, (_, n) => {
    const k = thickness * ((n + 0.5) / count - 0.5);
    const i = (n & 1 ? 1 : -1) * blurMm * 0.7;
    const j = (n & 2 ? 1 : -1) * blurMm * 0.7;
    const place: [number, number, number] = [0, 0, 0];
    place[indexAxis(geometry, 0).axis] += i;
    place[indexAxis(geometry, 1).axis] += j;
    place[indexAxis(geometry, 2).axis] += k;
    return place;
  });
}

/** One row of an acquisition, along patient x. */
export interface AcquiredRow {
  /** float32, stored values before rounding. */
  readonly signal: Float32Array;
  /** uint8 segment number where at least half of the voxel is segment: that which has most of it, the first on ties. */
  readonly truth: Uint8Array;
}

/**
 * Turns a row (y index, z index) of levels, summed over {@link Scan.spread}, into stored values, in place. What the scan
 * does not show loses its truth.
 */
export type Receive = (row: AcquiredRow, y: number, z: number) => void;

/** Acquires single rows (y index, z index) of a scan; every voxel is the same in whatever order rows are asked for. */
export function createAcquisition(subject: Subject, scan: Scan, seed: number): (y: number, z: number) => AcquiredRow {
  const sample = createRowSampler(subject);
  const { grid, spread, receiver } = scan;
  const [columns] = grid.size;
  const receive = receiver.modality === 'CT' ? receiveCt(receiver, scan, seed) : receiveMr(receiver, scan, seed);
  return (y, z) => {
    const signal = new Float32Array(columns);
    const truth = new Uint8Array(columns);
    const hits = Array.from({ length: sampleTasks[subject.task] }, () => new Uint8Array(columns));
    for (const [dx, dy, dz] of spread) {
      const [x0, y0, z0] = [grid.start[0] + dx, grid.start[1] + y * grid.step[1], grid.start[2] + z * grid.step[2]];
      sample({ x: x0, stepX: grid.step[0], y: y0 + dy, z: z0 + dz }, signal, hits);
    }
    for (let x = 0; x < columns; x++) truth[x] = segmentOf(hits, x, spread.length);
    const row = { signal, truth };
    receive(row, y, z);
    return row;
  };
}

/** The segment that a voxel is counted to, of `places` looked at. */
function segmentOf(hits: readonly Uint8Array[], x: number, places: number): number {
  let all = 0;
  let most = 0;
  for (let segment = 0; segment < hits.length; segment++) {
    all += hits[segment]![x]!;
    if (hits[segment]![x]! > hits[most]![x]!) most = segment;
  }
  return 2 * all >= places ? most + 1 : 0;
}
