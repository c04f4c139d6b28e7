import { voxelCount } from '../volume/geometry.ts';
import { type Answer, askInBatches, type Predict, type PredictOptions } from './predict.ts';
import { holdsContent, type PreparedSlices } from './prepare.ts';

/**
 * Asks a 2D network about every slice that shows anything but air.
 *
 * Throws what {@link askInBatches} throws.
 */
export async function predictSlices(
  { grid, images }: PreparedSlices,
  segments: number,
  predict: Predict,
  options: PredictOptions,
): Promise<Answer> {
  const voxels = grid.size[0] * grid.size[1];
  const foreground = Array.from({ length: segments }, () => new Float32Array(voxelCount(grid)));
  const entropy = new Float32Array(voxelCount(grid));
  const seen = new Uint8Array(voxelCount(grid));
  const wanted = images.flatMap((image, k) => (holdsContent(image, grid.size[0]) ? [k] : []));
  const samples = {
    count: wanted.length,
    voxels,
    classes: segments + 1,
    fill: (index: number, image: Float32Array) => image.set(images[wanted[index]!]!),
    take(index: number, probabilities: Float32Array, entropyOfSlice: Float32Array) {
      const from = wanted[index]! * voxels;
      for (const [s, values] of foreground.entries())
        values.set(probabilities.subarray((s + 1) * voxels, (s + 2) * voxels), from);
      entropy.set(entropyOfSlice, from);
      seen.fill(1, from, from + voxels);
    },
  };
  await askInBatches(samples, predict, options);
  return { foreground, entropy, seen };
}
