import { latticeHalfMm, latticePoints, latticeStepMm, type Warp } from './warp.ts';

/** A row of places along patient x: LPS, mm from the head centre. */
export interface Row {
  readonly x: number;
  readonly stepX: number;
  readonly y: number;
  readonly z: number;
}

/** Where the places of a row lie in the atlas; arrays are reused from row to row. */
export interface Trace {
  /** Atlas voxel indices, float64. */
  readonly i: Float64Array;
  readonly j: Float64Array;
  readonly k: Float64Array;
  /** 1 where the place lies below the atlas: there is no brain there. */
  readonly isBelow: Uint8Array;
  /** Factor of the receive field, float64. */
  readonly bias: Float64Array;
}

/** Longest row that is traced. */
export const longestRow = 1024;

/** Where the spine crosses the lowest plane of Colin27, atlas voxels. */
const spineI = 90;
const spineJ = 81;

/** Makes a function that follows a subject's warp for the first `count` places of a row. */
export function createTracer(warp: Warp): (row: Row, count: number) => Trace {
  const { matrix: m, offset, neck, lattice } = warp;
  const nodes = new Float32Array(latticePoints * 4);
  const make = (): Float64Array => new Float64Array(longestRow);
  const trace = { i: make(), j: make(), k: make(), isBelow: new Uint8Array(longestRow), bias: make() };
  const [m00, m10, m20] = [m[0]!, m[3]!, m[6]!];
  return (row, count) => {
    if (count > longestRow) throw new RangeError(`a row of ${count} places is longer than ${longestRow}`);
    blendLattice(lattice, row.y, row.z, nodes);
    const startI = offset[0] + m[1]! * row.y + m[2]! * row.z;
    const startJ = offset[1] + m[4]! * row.y + m[5]! * row.z;
    const startK = offset[2] + m[7]! * row.y + m[8]! * row.z;
    for (let n = 0; n < count; n++) {
      const x = row.x + n * row.stepX;
      const along = latticePlace(x);
      const node = Math.floor(along) * 4;
      const f = along - Math.floor(along);
      const shiftI = nodes[node]! + f * (nodes[node + 4]! - nodes[node]!);
      const shiftJ = nodes[node + 1]! + f * (nodes[node + 5]! - nodes[node + 1]!);
      let i = startI + m00 * x + shiftI;
      let j = startJ + m10 * x + shiftJ;
      let k = startK + m20 * x + nodes[node + 2]! + f * (nodes[node + 6]! - nodes[node + 2]!);
      trace.bias[n] = nodes[node + 3]! + f * (nodes[node + 7]! - nodes[node + 3]!);
      trace.isBelow[n] = k < 0 ? 1 : 0;
      if (k < 0) {
        // Colin27 ends at the jaw: its lowest plane is drawn out into a neck that widens to shoulders.
        const bend = Math.min(3, -k / 15);
        const drawn = Math.min(1, -k / 40);
        const wide = 1 + Math.min(2, Math.max(0, (-k - neck.shouldersMm) / 25) ** 1.5);
        i = spineI + (i - spineI + bend * shiftI) / ((1 - neck.narrowing[0] * drawn) * wide);
        j = spineJ + (j - spineJ + bend * shiftJ) / ((1 - neck.narrowing[1] * drawn) * (0.75 + 0.25 * wide));
        k = 0;
      }
      trace.i[n] = i;
      trace.j[n] = j;
      trace.k[n] = k;
    }
    return trace;
  };
}

/** Lattice coordinate of a position, kept where four neighbours exist. */
function latticePlace(mm: number): number {
  return Math.max(0, Math.min(latticePoints - 1.0001, (mm + latticeHalfMm) / latticeStepMm));
}

/** The lattice at one y and z: `[x, 4]` float32 into `nodes`. */
function blendLattice(lattice: Float32Array, yMm: number, zMm: number, nodes: Float32Array): void {
  const [y, z] = [latticePlace(yMm), latticePlace(zMm)];
  const [j, k] = [Math.floor(y), Math.floor(z)];
  const [fy, fz] = [y - j, z - k];
  const stride = latticePoints * 4;
  const o = (k * latticePoints + j) * stride;
  const up = o + latticePoints * stride;
  const [w00, w10, w01, w11] = [(1 - fy) * (1 - fz), fy * (1 - fz), (1 - fy) * fz, fy * fz];
  for (let n = 0; n < stride; n++) {
    nodes[n] =
      w00 * lattice[o + n]! + w10 * lattice[o + stride + n]! + w01 * lattice[up + n]! + w11 * lattice[up + stride + n]!;
  }
}
