import { lastStep, sliceOfStep, stepOfSlice } from './slice-steps.ts';

/** Three numbers: millimetres or unit-less direction cosines, LPS patient axes (PS3.3 C.7.6.2.1.1). */
export type Vec3 = readonly [number, number, number];

/**
 * A grid in the patient: regular within its slices, and from slice to slice unless `sliceSteps` says otherwise.
 *
 * Index order is `[column i, row j, slice k]`; arrays on the grid are stored C order `[slice, row, column]`, so voxel
 * (i, j, k) is element `(k * rows + j) * columns + i`.
 */
export interface Geometry {
  /** `[columns, rows, slices]`, each >= 1. */
  readonly size: Vec3;
  /** Millimetres between voxel centres along i, j and k, each > 0. Along k of a leaning grid see {@link sliceStepMm}. */
  readonly spacingMm: Vec3;
  /** Patient position (LPS, mm) of the centre of voxel (0, 0, 0). */
  readonly origin: Vec3;
  /**
   * Unit vectors (LPS) along which i, j and k grow, either handedness. Those of i and j are perpendicular, that of k to
   * both, unless the grid leans: slices of a tilted gantry are parallel, and each is shifted against the one before.
   */
  readonly direction: readonly [Vec3, Vec3, Vec3];
  /**
   * Where the slices lie when their gaps differ: so many steps of `spacingMm[2]` from the first, rising from 0. Absent of an
   * even grid, whose slice k lies k steps away.
   */
  readonly sliceSteps?: readonly number[];
}

/** Anatomical plane that a network works in. */
export type Plane = 'axial' | 'coronal' | 'sagittal';

/**
 * An affine map of index space: `to = offset + columns[0] * i + columns[1] * j + columns[2] * k`. On both sides k counts
 * steps: slices of an even grid, `sliceSteps` of another.
 */
export interface IndexMap {
  readonly offset: Vec3;
  readonly columns: readonly [Vec3, Vec3, Vec3];
}

/** How far the slices of a grid may lean. Gantries tilt by 30 degrees at most. */
export const maxLeanDegrees = 40;

/** How far direction cosines may be from orthonormal. DICOM writes them with 6 decimals; 0.5 degree is 9e-3. */
const ORTHONORMAL_TOLERANCE = 1e-3;

/**
 * Index axes of each plane as patient directions, right-handed, as they are shown on a screen: axial i to L, j to P,
 * k to S; coronal i to L, j to I, k to P; sagittal i to P, j to I, k to R.
 */
const planeDirections: Readonly<Record<Plane, Geometry['direction']>> = {
  axial: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  coronal: [
    [1, 0, 0],
    [0, 0, -1],
    [0, 1, 0],
  ],
  sagittal: [
    [0, 1, 0],
    [0, 0, -1],
    [-1, 0, 0],
  ],
};

/**
 * A checked geometry: sizes are integers >= 1, spacings finite and > 0, directions orthonormal to 1e-3, but for a k that
 * leans by at most {@link maxLeanDegrees}; slice steps, if there are, rise from 0, one a slice. The values are kept as they are. Throws a `RangeError` that names the value seen.
 */
export function createGeometry(parts: Geometry): Geometry {
  const { size, spacingMm, origin, direction, sliceSteps } = parts;
  if (!size.every((n) => Number.isInteger(n) && n >= 1))
    throw new RangeError(`size ${size} is not three integers >= 1`);
  if (!spacingMm.every((mm) => Number.isFinite(mm) && mm > 0))
    throw new RangeError(`spacing ${spacingMm} mm is not > 0`);
  if (!origin.every(Number.isFinite)) throw new RangeError(`origin ${origin} is not finite`);
  for (let a = 0; a < 3; a++) {
    for (let b = a; b < 3; b++) {
      const product = dot(direction[a]!, direction[b]!);
      // Of k with i or j: looked at below.
      if (b === 2 && a !== 2) continue;
      if (!(Math.abs(product - (a === b ? 1 : 0)) <= ORTHONORMAL_TOLERANCE))
        throw new RangeError(`directions ${direction.join(' | ')} are not orthonormal: ${a} . ${b} = ${product}`);
    }
  }
  const lean = leanDegrees(direction);
  if (!(lean <= maxLeanDegrees)) throw new RangeError(`directions ${direction.join(' | ')} lean by ${lean} degrees`);
  if (sliceSteps === undefined) return { size, spacingMm, origin, direction };
  const rises = sliceSteps.every((step, k) => (k === 0 ? step === 0 : step > sliceSteps[k - 1]!));
  if (!rises || sliceSteps.length < 2 || sliceSteps.length !== size[2])
    throw new RangeError(`steps ${sliceSteps} are not rising from 0, one for each of ${size[2]} slices`);
  return { size, spacingMm, origin, direction, sliceSteps };
}

/** The even grid that spans an uneven one: a slice at every step. An even one as it is. */
export function evenGrid(g: Geometry): Geometry {
  if (g.sliceSteps === undefined) return g;
  const { size, spacingMm, origin, direction } = g;
  // A tenth of a step of noise must not add a slice.
  const slices = Math.ceil(lastStep(g) - 0.1) + 1;
  return createGeometry({ size: [size[0], size[1], slices], spacingMm, origin, direction });
}

/** Angle between the direction of k and the normal of the slices, degrees; 0 within the noise of written cosines. */
export function leanDegrees([u, v, w]: Geometry['direction']): number {
  const beside = Math.hypot(dot(u, w), dot(v, w));
  return beside <= ORTHONORMAL_TOLERANCE ? 0 : (Math.atan2(beside, Math.abs(dot(cross(u, v), w))) * 180) / Math.PI;
}

/** Millimetres of a step from slice to slice along their normal. */
export function sliceStepMm({ spacingMm, direction }: Geometry): number {
  const lean = leanDegrees(direction);
  return lean === 0 ? spacingMm[2] : spacingMm[2] * Math.cos((lean * Math.PI) / 180);
}

/** Patient position (LPS, mm) of a voxel index `[i, j, k]`, which may be fractional. */
export function indexToPatient(g: Geometry, index: Vec3): Vec3 {
  return g.sliceSteps === undefined
    ? stepsToPatient(g, index)
    : stepsToPatient(g, [index[0], index[1], stepOfSlice(g, index[2])]);
}

/** Fractional voxel index `[i, j, k]` of a patient position (LPS, mm): the exact inverse of {@link indexToPatient}. */
export function patientToIndex(g: Geometry, position: Vec3): Vec3 {
  const [i, j, step] = patientToSteps(g, position);
  return [i, j, sliceOfStep(g, step)];
}

/** {@link indexToPatient} of an index whose slice is told in steps from the first. */
export function stepsToPatient(g: Geometry, index: Vec3): Vec3 {
  const { origin, direction } = g;
  const [u, v, w] = direction;
  // Written out, because this runs once a voxel in places: a closure per call costs ten times as much.
  const i = g.spacingMm[0] * index[0];
  const j = g.spacingMm[1] * index[1];
  const k = g.spacingMm[2] * index[2];
  return [
    origin[0] + u[0] * i + v[0] * j + w[0] * k,
    origin[1] + u[1] * i + v[1] * j + w[1] * k,
    origin[2] + u[2] * i + v[2] * j + w[2] * k,
  ];
}

function patientToSteps(g: Geometry, position: Vec3): Vec3 {
  const [u, v, w] = g.direction;
  // Cramer's rule instead of a transpose: the cosines are orthonormal to 1e-3 only, which is 0.2 mm over a head.
  const determinant = dot(u, cross(v, w));
  const p: Vec3 = [position[0] - g.origin[0], position[1] - g.origin[1], position[2] - g.origin[2]];
  return [
    dot(p, cross(v, w)) / determinant / g.spacingMm[0],
    dot(p, cross(w, u)) / determinant / g.spacingMm[1],
    dot(p, cross(u, v)) / determinant / g.spacingMm[2],
  ];
}

/** The map from voxel indices of `from` to fractional voxel indices of `to`, slices told in steps. */
export function indexMap(from: Geometry, to: Geometry): IndexMap {
  const offset = patientToSteps(to, from.origin);
  const column = (index: Vec3): Vec3 => {
    const end = patientToSteps(to, stepsToPatient(from, index));
    return [end[0] - offset[0], end[1] - offset[1], end[2] - offset[2]];
  };
  return { offset, columns: [column([1, 0, 0]), column([0, 1, 0]), column([0, 0, 1])] };
}

/**
 * A grid along the patient axes, in the plane's own axis order, with the given `[column, row, slice]` spacing. It covers
 * the whole box of `g` (voxel edges, not centres), also when `g` is oblique, and shares its centre; so a source that
 * already lies on such a grid is returned voxel for voxel.
 *
 * Axes: axial i to L, j to P, k to S; coronal i to L, j to I, k to P; sagittal i to P, j to I, k to R.
 */
export function planeGrid(g: Geometry, plane: Plane, spacingMm: Vec3): Geometry {
  const direction = planeDirections[plane];
  const corners = boxCorners(g);
  const centre = stepsToPatient(g, [(g.size[0] - 1) / 2, (g.size[1] - 1) / 2, lastStep(g) / 2]);
  const count = (axis: 0 | 1 | 2): number => {
    const along = corners.map((corner) => dot(corner, direction[axis]));
    const voxels = (Math.max(...along) - Math.min(...along)) / spacingMm[axis];
    // A tenth of a voxel of orientation or spacing noise must not add a slice.
    return Math.max(1, Math.ceil(voxels - 0.1));
  };
  const size: Vec3 = [count(0), count(1), count(2)];
  const start = (axis: 0 | 1 | 2): number =>
    centre[axis] -
    direction[0][axis] * spacingMm[0] * ((size[0] - 1) / 2) -
    direction[1][axis] * spacingMm[1] * ((size[1] - 1) / 2) -
    direction[2][axis] * spacingMm[2] * ((size[2] - 1) / 2);
  return createGeometry({ size, spacingMm, origin: [start(0), start(1), start(2)], direction });
}

/** The part of a grid's index space that starts at voxel `start` (may be negative) and has `size` voxels. */
export function subGrid(g: Geometry, start: Vec3, size: Vec3): Geometry {
  return createGeometry({ ...g, size, origin: indexToPatient(g, start) });
}

/** True when both have the same size and every corner voxel and slice of one lies within `toleranceMm` of its twin. */
export function sameGrid(a: Geometry, b: Geometry, toleranceMm: number): boolean {
  if (a.size.some((n, axis) => n !== b.size[axis])) return false;
  const apart = (k: number): number =>
    Math.abs(stepOfSlice(a, k) * a.spacingMm[2] - stepOfSlice(b, k) * b.spacingMm[2]);
  if (a.sliceSteps ?? b.sliceSteps) {
    for (let k = 0; k < a.size[2]; k++) if (apart(k) > toleranceMm) return false;
  }
  const corners = boxCorners(b);
  return boxCorners(a).every((p, n) => {
    const q = corners[n]!;
    return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) <= toleranceMm;
  });
}

/** Voxels of a grid. */
export function voxelCount(g: Geometry): number {
  return g.size[0] * g.size[1] * g.size[2];
}

/** The eight outer corners (voxel edges) of the box, patient mm; half a step beyond the outer slices. */
function boxCorners(g: Geometry): Vec3[] {
  const ends = (last: number): [number, number] => [-0.5, last + 0.5];
  const [columns, rows] = g.size;
  return ends(lastStep(g)).flatMap((k) =>
    ends(rows - 1).flatMap((j) => ends(columns - 1).map((i) => stepsToPatient(g, [i, j, k]))),
  );
}

function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
