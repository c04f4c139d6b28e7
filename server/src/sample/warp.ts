import { Random } from '../engine/random.ts';
import { type Geometry, patientToIndex, type Vec3 } from '../volume/geometry.ts';
import { smoothField } from './smooth-field.ts';
import type { Variation } from './variation.ts';

/** Half the edge of the cube on which displacement and bias are known; they are constant beyond. */
export const latticeHalfMm = 160;
export const latticeStepMm = 8;
export const latticePoints = 41;

/** Where a position of a subject lies in the Colin27 grid, and how strong the receive field is there. */
export interface Warp {
  /** Row-major 3 x 3: atlas voxels per mm of head position (LPS, mm from the subject's head centre). */
  readonly matrix: Float64Array;
  /** Atlas voxel index of the head centre. */
  readonly offset: Vec3;
  /** `[z, y, x, 4]` float32 on the 41^3 lattice: displacement along i, j, k in atlas voxels, then the bias factor. */
  readonly lattice: Float32Array;
  /** How the neck below the atlas narrows and widens into shoulders. */
  readonly neck: Neck;
}

export interface Neck {
  /** Relative width and depth that is lost over the first 40 mm. */
  readonly narrowing: readonly [number, number];
  /** mm below the atlas at which the shoulders begin. */
  readonly shouldersMm: number;
}

/** Centre of the Colin27 head (LPS, mm); the head centre of a subject is mapped here. */
const atlasCentre: Vec3 = [0, 17, 19];

/**
 * Draws pose, shape and bias field of a subject.
 *
 * @param atlas Grid of Colin27.
 * @param biasFactor Multiplies the strength of the bias field (2 in domain G).
 */
export function drawWarp(seed: number, variation: Variation, atlas: Geometry, biasFactor: number): Warp {
  const random = Random.for(seed, 'pose');
  const spread = (limit: number): number => random.uniform(-limit, limit);
  const rotation = rotationMatrix(variation.rotationDegrees.map((limit) => (spread(limit) * Math.PI) / 180));
  const size = 0.95 + spread(variation.scale[0]);
  const scale = [0, 1, 2].map(() => size * (1 + spread(variation.scale[1])));
  const shift = [0, 1, 2].map(() => spread(variation.shiftMm));

  // Head position q to atlas position: centre + S^-1 R^T (q - shift), then to atlas voxels.
  const toAtlas = (q: readonly number[]): Vec3 => {
    const p = [0, 1, 2].map((axis) => q[axis]! - shift[axis]!);
    const at = (row: 0 | 1 | 2): number =>
      atlasCentre[row] +
      (rotation[row]! * p[0]! + rotation[3 + row]! * p[1]! + rotation[6 + row]! * p[2]!) / scale[row]!;
    return patientToIndex(atlas, [at(0), at(1), at(2)]);
  };
  const offset = toAtlas([0, 0, 0]);
  const matrix = new Float64Array(9);
  for (let axis = 0; axis < 3; axis++) {
    const end = toAtlas([0, 1, 2].map((a) => (a === axis ? 1 : 0)));
    for (let row = 0; row < 3; row++) matrix[row * 3 + axis] = end[row]! - offset[row]!;
  }
  const neck: Neck = {
    narrowing: [random.uniform(0.15, 0.3), random.uniform(0.25, 0.4)],
    shouldersMm: random.uniform(55, 95),
  };
  return { matrix, offset, neck, lattice: drawLattice(seed, variation, biasFactor) };
}

function drawLattice(seed: number, variation: Variation, biasFactor: number): Float32Array {
  const lattice = new Float32Array(latticePoints ** 3 * 4);
  const elastic = Random.for(seed, 'elastic');
  const [coarseSd, fineSd] = variation.elasticSdMm;
  for (let channel = 0; channel < 3; channel++) {
    const coarse = smoothField(elastic, 15, latticePoints, coarseSd);
    const fine = fineSd > 0 ? smoothField(elastic, 26, latticePoints, fineSd) : undefined;
    for (let n = 0; n < coarse.length; n++) lattice[n * 4 + channel] = coarse[n]! + (fine?.[n] ?? 0);
  }
  const random = Random.for(seed, 'bias');
  const bias = smoothField(random, 8, latticePoints, biasFactor * random.uniform(...variation.biasSd));
  for (let n = 0; n < bias.length; n++) lattice[n * 4 + 3] = Math.exp(bias[n]!);
  return lattice;
}

/** Row-major rotation about x, then y, then z. */
function rotationMatrix(angles: readonly number[]): readonly number[] {
  const [a, b, c] = [angles[0]!, angles[1]!, angles[2]!];
  const [sa, ca, sb, cb, sc, cc] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b), Math.sin(c), Math.cos(c)];
  return [
    cc * cb,
    cc * sb * sa - sc * ca,
    cc * sb * ca + sc * sa,
    sc * cb,
    sc * sb * sa + cc * ca,
    sc * sb * ca - cc * sa,
    -sb,
    cb * sa,
    cb * ca,
  ];
}
