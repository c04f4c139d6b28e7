import { Random } from '../engine/random.ts';

/** 32 bits of a voxel: the same whatever was asked for before. */
export type VoxelBits = (voxel: number) => number;

/** The bits of a subject's voxels, from which its noise is looked up. */
export function createVoxelBits(seed: number): VoxelBits {
  const noiseSeed = Math.floor(Random.for(seed, 'noise').next() * 4294967296);
  return (voxel) => mix(noiseSeed ^ Math.imul(voxel, 0x9e3779b1));
}

/** Scrambles 32 bits. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

let table: Float32Array | undefined;

/** 65,536 normal numbers: looking one up by the bits of the voxel costs a tenth of drawing it, and needs no order. */
export function noiseTable(): Float32Array {
  if (table === undefined) {
    const random = new Random(65536);
    table = Float32Array.from({ length: 65536 }, () => random.normal());
  }
  return table;
}
