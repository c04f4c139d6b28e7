import { Random } from '../engine/random.ts';
import type { Vec3 } from '../volume/geometry.ts';
import type { Colin27 } from './colin27.ts';
import { smoothField } from './smooth-field.ts';

/** One bright, irregular blob, in atlas voxels (mm). */
export interface Lesion {
  readonly centre: Vec3;
  /** Nothing of it lies further from the centre. */
  readonly reach: number;
  /** Row-major: offsets from the centre to the frame in which the half axes are 1. */
  readonly frame: readonly number[];
  /** Logarithm of the border's radius by direction, `[z, y, x]` on 17^3 points of the cube [-1, 1]^3. */
  readonly border: Float32Array;
  /** Level in the middle. */
  readonly level: number;
}

const points = 17;
const largestLogRadius = 0.6;

/**
 * Draws a lesion: centre 18..42 mm from the midline and at least 9 mm below the brain's border, half axes 9..19 mm,
 * border = ellipsoid radius times exp(smooth noise), level 0.2..0.5 above the brightest tissue.
 */
export function drawLesion(seed: number, colin: Colin27, brightTissue: number): Lesion {
  const random = Random.for(seed, 'lesion');
  const centre = drawCentre(random, colin);
  const halfAxes = [0, 1, 2].map(() => random.uniform(9, 19));
  const rotation = randomRotation(random);
  const frame = rotation.map((cosine, n) => cosine / halfAxes[Math.floor(n / 3)]!);
  // Spline coefficients of sd 0.9 leave a smooth noise of sd 0.3.
  const border = Float32Array.from(smoothField(random, 6, points, 0.9), (log) =>
    Math.max(-largestLogRadius, Math.min(largestLogRadius, log)),
  );
  const reach = Math.max(...halfAxes) * Math.exp(largestLogRadius) * 1.1;
  return { centre, frame, border, reach, level: brightTissue + random.uniform(0.2, 0.5) * Math.max(1, brightTissue) };
}

/**
 * How far out a place lies: 0 at the centre, 1 on the border.
 *
 * @param di, dj, dk Offset from the centre, atlas voxels.
 */
export function lesionRadius(lesion: Lesion, di: number, dj: number, dk: number): number {
  const f = lesion.frame;
  const u = f[0]! * di + f[1]! * dj + f[2]! * dk;
  const v = f[3]! * di + f[4]! * dj + f[5]! * dk;
  const w = f[6]! * di + f[7]! * dj + f[8]! * dk;
  const radius = Math.sqrt(u * u + v * v + w * w);
  if (radius < 1e-6) return 0;
  return radius * Math.exp(-fieldAt(lesion.border, u / radius, v / radius, w / radius));
}

/** Level within the lesion: its texture is a coarse reading of the border's noise. */
export function lesionLevel(lesion: Lesion, di: number, dj: number, dk: number): number {
  const scale = 1 / lesion.reach;
  return lesion.level * (1 + 0.35 * fieldAt(lesion.border, di * scale, dk * scale, dj * scale));
}

/** Trilinear reading at a place of [-1, 1]^3. */
function fieldAt(field: Float32Array, u: number, v: number, w: number): number {
  const half = (points - 1) / 2;
  const x = Math.max(0, Math.min(points - 1.001, (u + 1) * half));
  const y = Math.max(0, Math.min(points - 1.001, (v + 1) * half));
  const z = Math.max(0, Math.min(points - 1.001, (w + 1) * half));
  const [i, j, k] = [Math.floor(x), Math.floor(y), Math.floor(z)];
  const [fx, fy, fz] = [x - i, y - j, z - k];
  const row = (o: number): number => field[o]! + fx * (field[o + 1]! - field[o]!);
  const plane = (o: number): number => row(o) + fy * (row(o + points) - row(o));
  const base = (k * points + j) * points + i;
  return plane(base) + fz * (plane(base + points * points) - plane(base));
}

function drawCentre(random: Random, colin: Colin27): Vec3 {
  const [columns, rows] = colin.t1.geometry.size;
  const isBrain = (i: number, j: number, k: number): boolean =>
    colin.tissue[(Math.round(k) * rows + Math.round(j)) * columns + Math.round(i)]! >> 8 === 0;
  for (;;) {
    // Voxel 90 is the midline; j 55..160 and k 60..130 span the cerebrum from occipital to frontal white matter.
    const side = random.next() < 0.5 ? -1 : 1;
    const i = 90 + side * random.uniform(18, 42);
    const j = random.uniform(55, 160);
    const k = random.uniform(60, 130);
    const isDeep = [-9, 9].every((d) => isBrain(i + d, j, k) && isBrain(i, j + d, k) && isBrain(i, j, k + d));
    if (isDeep && isBrain(i, j, k)) return [i, j, k];
  }
}

/** Row-major random rotation from a unit quaternion. */
function randomRotation(random: Random): readonly number[] {
  const q = [0, 1, 2, 3].map(() => random.normal());
  const length = Math.hypot(...q);
  const [w, x, y, z] = q.map((part) => part / length) as [number, number, number, number];
  return [
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  ];
}
