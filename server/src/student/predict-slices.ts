import { voxelCount } from '../volume/geometry.ts';
import { type Answer, askInBatches, type Predict, type PredictOptions } from './predict.ts';
import { holdsContent } from './prepare.ts';
import type { PreparedVolume } from './prepare-volume.ts';

/**
 * Asks a 2D network about every slice that shows anything but air.
 *
 * Throws what {@link askInBatches} throws.
 */
export async function predictSlices(
  { grid, image }: PreparedVolume,
  segments: number,
  predict: Predict,
  options: PredictOptions,
): Promise<Answer> {
  const voxels = grid.size[0] * grid.size[1];
  const foreground = Array.from({ length: segments }, () => new Float32Array(voxelCount(grid)));
  const anySegment = segments === 1 ? foreground[0]! : new Float32Array(voxelCount(grid));
  const entropy = new Float32Array(voxelCount(grid));
  const seen = new Uint8Array(voxelCount(grid));
  const slice = (k: number) => image.subarray(k * voxels, (k + 1) * voxels);
  const wanted = [...new Array(grid.size[2]).keys()].filter((k) => holdsContent(slice(k), grid.size[0]));
  const samples = {
    count: wanted.length,
    voxels,
    classes: segments + 1,
    fill: (index: number, into: Float32Array) => into.set(slice(wanted[index]!)),
    take(index: number, probabilities: Float32Array, entropyOfSlice: Float32Array) {
      const from = wanted[index]! * voxels;
      for (const [s, values] of foreground.entries())
        values.set(probabilities.subarray((s + 1) * voxels, (s + 2) * voxels), from);
      if (segments > 1) writeRest(probabilities.subarray(0, voxels), anySegment, from);
      entropy.set(entropyOfSlice, from);
      seen.fill(1, from, from + voxels);
    },
  };
  await askInBatches(samples, predict, options);
  return { foreground, anySegment, entropy, seen };
}

/** What a probability leaves. */
function writeRest(probability: Float32Array, out: Float32Array, from: number): void {
  for (let n = 0; n < probability.length; n++) out[from + n] = 1 - probability[n]!;
}
