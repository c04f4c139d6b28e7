import { AppError } from '../errors/app-error.ts';
import { evenGrid, type Geometry, leanDegrees, sliceStepMm, voxelCount } from '../volume/geometry.ts';

/**
 * What a reader should know of a grid that a network does not see as it is.
 *
 * @throws AppError `image-too-large`: uneven slices become more than `maxVoxels` in even steps.
 */
export function noteResampling(geometry: Geometry, maxVoxels: number): readonly string[] {
  const { direction, sliceSteps } = geometry;
  checkEvenSize(geometry, maxVoxels);
  const notes: string[] = [];
  const lean = leanDegrees(direction);
  if (lean > 0) {
    const tilt = `The slices lean by ${lean.toFixed(1)} degrees, as of a tilted gantry`;
    notes.push(`${tilt}: the volume is resampled upright, the mask lies on the slices themselves.`);
  }
  if (sliceSteps) {
    const step = sliceStepMm(geometry);
    const most = Math.max(...sliceSteps.slice(1).map((at, k) => at - sliceSteps[k]!)) * step;
    const gaps = `The gaps between slices run from ${step.toFixed(2)} to ${most.toFixed(2)} mm`;
    notes.push(`${gaps}: the volume is resampled to even steps, the mask lies on the slices themselves.`);
  }
  return notes;
}

function checkEvenSize(geometry: Geometry, maxVoxels: number): void {
  const even = evenGrid(geometry);
  const voxels = voxelCount(even);
  if (voxels <= maxVoxels) return;
  throw new AppError(
    'image-too-large',
    `The series has ${even.size.join(' x ')} voxels in even steps; the limit is ${maxVoxels}.`,
    { voxels, maxVoxels },
  );
}
