/** Three numbers: millimetres or unit-less direction cosines, LPS patient axes (PS3.3 C.7.6.2.1.1). */
export type Vec3 = readonly [number, number, number];

/**
 * A regular grid in the patient.
 *
 * Index order is `[column i, row j, slice k]`; arrays on the grid are stored C order `[slice, row, column]`, so voxel
 * (i, j, k) is element `(k * rows + j) * columns + i`.
 */
export interface Geometry {
  /** `[columns, rows, slices]`, each >= 1. */
  readonly size: Vec3;
  /** Millimetres between voxel centres along i, j and k, each > 0. */
  readonly spacingMm: Vec3;
  /** Patient position (LPS, mm) of the centre of voxel (0, 0, 0). */
  readonly origin: Vec3;
  /** Unit vectors (LPS) along which i, j and k grow; orthonormal, either handedness. */
  readonly direction: readonly [Vec3, Vec3, Vec3];
}
