import { Random } from '../engine/random.ts';
import { type Geometry, type Plane, planeGrid, subGrid, type Vec3 } from '../volume/geometry.ts';
import type { Volume } from '../volume/volume.ts';
import type { Colin27 } from './colin27.ts';
import { type AcquiredRow, createAcquisition, drawScan, type PatientGrid, patientGrid, type Scan } from './scanner.ts';
import { drawSubject, type Subject, type SubjectOptions } from './subject.ts';

/** Training slices of one subject. */
export interface SliceOptions extends SubjectOptions {
  /** `[columns, rows]` of a slice; the field of view is cut or padded about its centre. */
  readonly sizePx: readonly [number, number];
  /** Of the axial grid in all three directions. */
  readonly spacingMm: number;
  readonly count: number;
  /** Which slices (k of the axial grid) instead of random ones. */
  readonly slices?: readonly number[];
}

export interface GeneratedSlices {
  /** Which slices of the subject's axial grid these are. */
  readonly slices: readonly number[];
  /** The subject's whole axial grid at `spacingMm`. */
  readonly geometry: Geometry;
  /** `[count, row, column]` float32, stored values; 0 where outside the scan. */
  readonly image: Float32Array;
  /** `[count, row, column]` uint8, 1 = outside the scan. */
  readonly outside: Uint8Array;
  /** `[count, row, column]` uint8, 1 = brain or lesion. */
  readonly truth: Uint8Array;
  /** Evenly spread rows of the whole scan, about 24,000 voxels: read the volume's intensity window from them. */
  readonly context: Volume & { readonly data: Float32Array };
}

/**
 * Plane and spacing with which {@link generateSlices} scans a subject before it resamples: in plane 2..3 mm, slices
 * 2..6 mm. Finer scans are smoothed to 2 mm before a network sees them, so 2 mm stands for them.
 */
export function drawAcquisition(options: SubjectOptions): { readonly plane: Plane; readonly spacingMm: Vec3 } {
  if (options.variation === 'sample') return { plane: 'axial', spacingMm: [2, 2, 2] };
  const random = Random.for(options.seed, 'acquisition');
  const u = random.next();
  const plane: Plane = u < 0.55 ? 'axial' : u < 0.8 ? 'coronal' : 'sagittal';
  const inPlane = random.next() < 0.6 ? 2 : random.uniform(2, 3);
  const thickness = random.next() < 0.4 ? inPlane : random.uniform(2, 6);
  return { plane, spacingMm: [inPlane, inPlane, thickness] };
}

/**
 * Slices of one subject on its axial grid, as if {@link generateSubject} had made the whole volume with the plane and
 * spacing of {@link drawAcquisition} and it had been resampled (trilinear), at the cost of the slices alone.
 *
 * Without `slices`, three of four lie in the brain (in the lesion for that task), the others anywhere in the scan.
 */
export function generateSlices(colin: Colin27, options: SliceOptions): GeneratedSlices {
  const subject = drawSubject(colin, options);
  const { plane, spacingMm } = drawAcquisition(options);
  const scan = drawScan(options, plane, spacingMm, subject.appearance.isStripped);
  const acquire = createAcquisition(subject, scan, options.seed);
  const mm = options.spacingMm;
  const geometry = planeGrid(scan.geometry, 'axial', [mm, mm, mm]);
  const slices = options.slices ?? drawSlices(subject, scan, geometry, options);

  const [columns, rows] = options.sizePx;
  const corner: Vec3 = [Math.floor((geometry.size[0] - columns) / 2), Math.floor((geometry.size[1] - rows) / 2), 0];
  const frame = subGrid(geometry, corner, [columns, rows, geometry.size[2]]);
  const target = patientGrid(frame, scan.headCentre);
  const pixels = columns * rows;
  const image = new Float32Array(slices.length * pixels);
  const outside = new Uint8Array(slices.length * pixels);
  const truth = new Uint8Array(slices.length * pixels);
  slices.forEach((k, n) => {
    const part = <T extends Float32Array | Uint8Array>(array: T): T =>
      array.subarray(n * pixels, (n + 1) * pixels) as T;
    resampleSlice(acquire, scan.grid, target, k, { image: part(image), outside: part(outside), truth: part(truth) });
  });
  return { slices, geometry, image, outside, truth, context: contextOf(acquire, scan) };
}

interface SliceArrays {
  readonly image: Float32Array;
  readonly outside: Uint8Array;
  readonly truth: Uint8Array;
}

/** Trilinear reading of slice `k` of `target` from the acquisition, row by row; only the rows needed are acquired. */
function resampleSlice(
  acquire: (y: number, z: number) => AcquiredRow,
  source: PatientGrid,
  target: PatientGrid,
  k: number,
  into: SliceArrays,
): void {
  const place = (axis: 0 | 1 | 2, n: number): number => {
    const index = (target.start[axis] + n * target.step[axis] - source.start[axis]) / source.step[axis];
    // Grids that coincide up to rounding must be read voxel for voxel.
    return Math.abs(index - Math.round(index)) < 1e-6 ? Math.round(index) : index;
  };
  const isOutside = (index: number, size: number): boolean => index < -0.5 || index > size - 0.5;
  const [columns, rows] = target.size;
  const xs = Array.from({ length: columns }, (_, n) => place(0, n));
  const acquired = new Map<number, AcquiredRow>();
  const rowAt = (y: number, z: number): AcquiredRow => {
    const key = z * source.size[1] + y;
    let row = acquired.get(key);
    if (row === undefined) {
      row = acquire(y, z);
      acquired.set(key, row);
    }
    return row;
  };
  const z = place(2, k);
  const signal = new Float32Array(source.size[0]);
  const share = new Float32Array(source.size[0]);
  for (let j = 0; j < rows; j++) {
    const y = place(1, j);
    const isRowOutside = isOutside(z, source.size[2]) || isOutside(y, source.size[1]);
    if (!isRowOutside) blendRows(rowAt, ends(y, source.size[1]), ends(z, source.size[2]), signal, share);
    for (let i = 0; i < columns; i++) {
      const n = j * columns + i;
      const x = xs[i]!;
      if (isRowOutside || isOutside(x, source.size[0])) {
        into.outside[n] = 1;
        continue;
      }
      const { low, high, fraction } = ends(x, source.size[0]);
      into.image[n] = signal[low]! + fraction * (signal[high]! - signal[low]!);
      into.truth[n] = share[low]! + fraction * (share[high]! - share[low]!) >= 0.5 ? 1 : 0;
    }
  }
}

interface Ends {
  readonly low: number;
  readonly high: number;
  readonly fraction: number;
}

function ends(index: number, size: number): Ends {
  const inside = Math.max(0, Math.min(size - 1, index));
  const low = Math.floor(inside);
  return { low, high: Math.min(size - 1, low + 1), fraction: inside - low };
}

/** Bilinear mean of up to four rows: signal and share of truth. */
function blendRows(
  rowAt: (y: number, z: number) => AcquiredRow,
  y: Ends,
  z: Ends,
  signal: Float32Array,
  share: Float32Array,
): void {
  signal.fill(0);
  share.fill(0);
  for (const [row, slice, weight] of [
    [y.low, z.low, (1 - y.fraction) * (1 - z.fraction)],
    [y.high, z.low, y.fraction * (1 - z.fraction)],
    [y.low, z.high, (1 - y.fraction) * z.fraction],
    [y.high, z.high, y.fraction * z.fraction],
  ] as const) {
    if (weight === 0) continue;
    const acquired = rowAt(row, slice);
    for (let x = 0; x < signal.length; x++) {
      signal[x]! += weight * acquired.signal[x]!;
      share[x]! += weight * acquired.truth[x]!;
    }
  }
}

function contextOf(acquire: (y: number, z: number) => AcquiredRow, scan: Scan): GeneratedSlices['context'] {
  const { size, step, start } = scan.grid;
  // About 24,000 voxels, however large the scan is: fewer blur the window by more than a few hundredths.
  const everyMm = Math.sqrt((size[0] * size[1] * step[1] * size[2] * step[2]) / 24_000);
  const stride = (axis: 1 | 2): number => Math.max(1, Math.round(everyMm / step[axis]));
  const count = (axis: 1 | 2): number => Math.max(1, Math.floor(size[axis] / stride(axis)));
  const [rows, slices] = [count(1), count(2)];
  const first = (axis: 1 | 2): number => Math.floor(Math.min(size[axis] - 1, stride(axis) / 2));
  const data = new Float32Array(size[0] * rows * slices);
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) {
      const row = acquire(first(1) + j * stride(1), first(2) + k * stride(2));
      data.set(row.signal, (k * rows + j) * size[0]);
    }
  const { headCentre } = scan;
  return {
    data,
    geometry: {
      size: [size[0], rows, slices],
      spacingMm: [step[0], stride(1) * step[1], stride(2) * step[2]],
      origin: [
        headCentre[0] + start[0],
        headCentre[1] + start[1] + first(1) * step[1],
        headCentre[2] + start[2] + first(2) * step[2],
      ],
      direction: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    },
  };
}

/** Slices by chance: three of four within the height of the brain or lesion, if the scan reaches it. */
function drawSlices(subject: Subject, scan: Scan, geometry: Geometry, options: SliceOptions): readonly number[] {
  const random = Random.for(options.seed, 'slices');
  const { centre, halfHeight } = targetHeight(subject);
  const toIndex = (z: number): number => (z + scan.headCentre[2] - geometry.origin[2]) / options.spacingMm;
  const last = geometry.size[2] - 1;
  const low = Math.max(0, Math.ceil(toIndex(centre - halfHeight)));
  const high = Math.min(last, Math.floor(toIndex(centre + halfHeight)));
  return Array.from({ length: options.count }, () => {
    const isTarget = random.next() < 0.75 && high >= low;
    const from = isTarget ? low : 0;
    return from + random.int((isTarget ? high : last) - from + 1);
  });
}

/** About where the brain (or lesion) lies along z: mm from the head centre. */
function targetHeight(subject: Subject): { readonly centre: number; readonly halfHeight: number } {
  const { matrix, offset } = subject.warp;
  const place: Vec3 = subject.lesion?.centre ?? [90, 109, 80];
  const halfAxes: Vec3 = subject.lesion
    ? [subject.lesion.reach / 2, subject.lesion.reach / 2, subject.lesion.reach / 2]
    : [72, 90, 75];
  // The matrix is a rotation with about unit scale, so its transpose is its inverse, near enough for choosing slices.
  const back = [0, 1, 2].map((row) => matrix[row * 3 + 2]!);
  const norm = back.reduce((sum, value) => sum + value * value, 0);
  const centre = back.reduce((sum, value, row) => sum + value * (place[row]! - offset[row]!), 0) / norm;
  const halfHeight = Math.hypot(...back.map((value, row) => value * halfAxes[row]!)) / norm;
  return { centre, halfHeight };
}
