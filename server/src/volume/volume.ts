import { type Geometry, voxelCount } from './geometry.ts';

/** Scalar types a volume can hold. */
export type VoxelArray = Int16Array | Uint16Array | Uint8Array | Float32Array;

/** Scalar voxels with the grid they lie on. `data` is `[slice, row, column]`, modality units (HU for CT, arbitrary for MR). */
export interface Volume {
  readonly data: VoxelArray;
  readonly geometry: Geometry;
  /** One byte a voxel, 1 = outside the scan (padding); absent when there is none. */
  readonly padding?: Uint8Array;
}

/** A volume whose arrays have one entry a voxel of the grid; else a `RangeError`. The arrays are kept, not copied. */
export function createVolume<T extends VoxelArray>(
  data: T,
  geometry: Geometry,
  padding?: Uint8Array,
): Volume & { readonly data: T } {
  const voxels = voxelCount(geometry);
  if (data.length !== voxels) throw new RangeError(`${data.length} values for ${voxels} voxels (${geometry.size})`);
  if (padding !== undefined && padding.length !== voxels)
    throw new RangeError(`${padding.length} padding bytes for ${voxels} voxels (${geometry.size})`);
  return padding === undefined ? { data, geometry } : { data, geometry, padding };
}
