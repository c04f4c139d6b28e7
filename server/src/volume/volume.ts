import type { Geometry } from './geometry.ts';

/** Scalar types a volume can hold. */
export type VoxelArray = Int16Array | Uint16Array | Uint8Array | Float32Array;

/** Scalar voxels with the grid they lie on. `data` is `[slice, row, column]`, modality units (HU for CT, arbitrary for MR). */
export interface Volume {
  readonly data: VoxelArray;
  readonly geometry: Geometry;
  /** One byte a voxel, 1 = outside the scan (padding); absent when there is none. */
  readonly padding?: Uint8Array;
}
