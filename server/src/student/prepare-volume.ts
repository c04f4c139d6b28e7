import { type Geometry, planeGrid, type Vec3 } from '../volume/geometry.ts';
import { findIntensityWindow, type IntensityRule } from '../volume/intensity.ts';
import { resample } from '../volume/resample.ts';
import type { Volume } from '../volume/volume.ts';

/** What a 3D network wants to see; the `input` of a model card fits. Axes of the patient: columns to L, rows to P, slices to S. */
export interface VolumeInput {
  /** `[column, row, slice]` mm. */
  readonly spacingMm: Vec3;
  /** What the network sees at once, `[columns, rows, slices]`. */
  readonly windowVoxels: Vec3;
  readonly intensity: IntensityRule;
}

/** A volume as a network sees it, before it is cut into slices or windows. */
export interface PreparedVolume {
  /** Along the patient axes; of a 3D network the whole box of the source. */
  readonly grid: Geometry;
  /** `[slice, row, column]` float32 in [0, 1]; 0 outside the source. */
  readonly image: Float32Array;
}

/**
 * Brings a volume to the grid and value range of a 3D network; intensities as for slices (prepare.ts).
 *
 * Throws `series-no-contrast` for a constant volume.
 */
export function prepareVolume(volume: Volume, input: VolumeInput): PreparedVolume {
  const window = findIntensityWindow(volume, input.intensity);
  const grid = planeGrid(volume.geometry, 'axial', input.spacingMm);
  return { grid, image: resample(volume, grid, { outside: 0, window }).volume.data };
}
