import { lesionLevel, lesionRadius } from './lesion.ts';
import type { Subject } from './subject.ts';
import { latticeHalfMm, latticePoints, latticeStepMm } from './warp.ts';

/** Adds the signal and the truth of one row of places to running sums. */
export type RowSampler = (
  /** x of the first place and step in x, then y and z: LPS, mm from the head centre. */
  row: { readonly x: number; readonly stepX: number; readonly y: number; readonly z: number },
  /** float32, level times bias factor is added. */
  signal: Float32Array,
  /** uint8, 1 is added where the place is brain (or lesion). */
  hits: Uint8Array,
) => void;

/** Soft edge of a lesion, in units of its radius. */
const edge = 0.12;

/** Makes the sampler of a subject; it keeps one scratch row, so use it from one place at a time. */
export function createRowSampler(subject: Subject): RowSampler {
  const { tissue, t1 } = subject.colin;
  const { levels } = subject.appearance;
  const { lesion } = subject;
  const { lattice, offset, neck } = subject.warp;
  const [columns, rows, slices] = t1.geometry.size;
  const plane = columns * rows;
  const air = levels[tissueOfAir]!;
  const nodes = new Float32Array(latticePoints * 4);
  const m = subject.warp.matrix;
  const [m00, m10, m20] = [m[0]!, m[3]!, m[6]!];

  return (row, signal, hits) => {
    blendLattice(lattice, row.y, row.z, nodes);
    const startI = offset[0] + m[1]! * row.y + m[2]! * row.z;
    const startJ = offset[1] + m[4]! * row.y + m[5]! * row.z;
    const startK = offset[2] + m[7]! * row.y + m[8]! * row.z;
    for (let n = 0; n < signal.length; n++) {
      const x = row.x + n * row.stepX;
      const along = Math.max(0, Math.min(latticePoints - 1.0001, (x + latticeHalfMm) / latticeStepMm));
      const node = Math.floor(along) * 4;
      const f = along - Math.floor(along);
      const shiftI = nodes[node]! + f * (nodes[node + 4]! - nodes[node]!);
      const shiftJ = nodes[node + 1]! + f * (nodes[node + 5]! - nodes[node + 1]!);
      const shiftK = nodes[node + 2]! + f * (nodes[node + 6]! - nodes[node + 2]!);
      const bias = nodes[node + 3]! + f * (nodes[node + 7]! - nodes[node + 3]!);
      let i = startI + m00 * x + shiftI;
      let j = startJ + m10 * x + shiftJ;
      let k = startK + m20 * x + shiftK;
      const isBelow = k < 0;
      if (isBelow) {
        // Colin27 ends at the jaw: its lowest plane is drawn out into a neck that widens to shoulders.
        const depth = -k;
        const bend = Math.min(3, depth / 15);
        const drawn = Math.min(1, depth / 40);
        const wide = 1 + Math.min(2, Math.max(0, (depth - neck.shouldersMm) / 25) ** 1.5);
        i = spineI + (i - spineI + bend * shiftI) / ((1 - neck.narrowing[0] * drawn) * wide);
        j = spineJ + (j - spineJ + bend * shiftJ) / ((1 - neck.narrowing[1] * drawn) * (0.75 + 0.25 * wide));
        k = 0;
      }
      if (!(i >= 0 && j >= 0 && i < columns - 1 && j < rows - 1 && k < slices - 1)) {
        signal[n]! += air * bias;
        continue;
      }
      const [ci, cj, ck] = [Math.floor(i), Math.floor(j), Math.floor(k)];
      const [fi, fj, fk] = [i - ci, j - cj, k - ck];
      const o = ck * plane + cj * columns + ci;
      const a = levels[tissue[o]!]!;
      const b = levels[tissue[o + columns]!]!;
      const c = levels[tissue[o + plane]!]!;
      const d = levels[tissue[o + plane + columns]!]!;
      const p = a + fi * (levels[tissue[o + 1]!]! - a);
      const q = b + fi * (levels[tissue[o + columns + 1]!]! - b);
      const r = c + fi * (levels[tissue[o + plane + 1]!]! - c);
      const s = d + fi * (levels[tissue[o + plane + columns + 1]!]! - d);
      const low = p + fj * (q - p);
      let level = low + fk * (r + fj * (s - r) - low);
      const nearest = tissue[o + (fi >= 0.5 ? 1 : 0) + (fj >= 0.5 ? columns : 0) + (fk >= 0.5 ? plane : 0)]!;
      const isBrain = !isBelow && nearest >> 8 === 0;
      if (lesion === undefined) {
        if (isBrain) hits[n]!++;
      } else if (isBrain) {
        const di = i - lesion.centre[0];
        const dj = j - lesion.centre[1];
        const dk = k - lesion.centre[2];
        if (di * di + dj * dj + dk * dk < lesion.reach * lesion.reach) {
          const radius = lesionRadius(lesion, di, dj, dk);
          const share = Math.max(0, Math.min(1, (1 - radius) / edge + 0.5));
          if (share > 0) level += share * (lesionLevel(lesion, di, dj, dk) - level);
          if (radius <= 1) hits[n]!++;
        }
      }
      signal[n]! += level * bias;
    }
  };
}

/** Code of a voxel far from the head. */
const tissueOfAir = 31 * 256;
/** Where the spine crosses the lowest plane of Colin27, atlas voxels. */
const spineI = 90;
const spineJ = 81;

/** The lattice at one y and z: `[x, 4]` float32 into `nodes`. */
function blendLattice(lattice: Float32Array, yMm: number, zMm: number, nodes: Float32Array): void {
  const place = (mm: number): number =>
    Math.max(0, Math.min(latticePoints - 1.0001, (mm + latticeHalfMm) / latticeStepMm));
  const [y, z] = [place(yMm), place(zMm)];
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
