import { normalisedEntropy } from '../labelmap/uncertainty.ts';
import { type Geometry, type Vec3, voxelCount } from '../volume/geometry.ts';
import { sumForeground } from './foreground.ts';
import { type Answer, askInBatches, type Predict, type PredictOptions } from './predict.ts';
import { holdsContent } from './prepare.ts';
import type { PreparedVolume } from './prepare-volume.ts';
import { addWindow, type Blend, cutWindow, finishBlend, placeWindows, startBlend } from './windows.ts';

/**
 * Asks a 3D network about windows that slide over the whole grid, each overlapping the next, and blends what it says of
 * a voxel in all of them. Windows that show nothing but air never reach the network: they have no say where another
 * window looked, and what lies in them alone is background. The entropy is that of the blended probabilities.
 *
 * Memory beside the volume itself: for S segments S + 1 float32 arrays (of several segments one more) and a byte array as large as the grid, and what
 * the network takes for one batch of windows.
 *
 * Throws what {@link askInBatches} throws.
 */
export async function predictWindows(
  { grid, image }: PreparedVolume,
  windowVoxels: Vec3,
  segments: number,
  predict: Predict,
  options: PredictOptions,
): Promise<Answer> {
  const [columns, rows, slices] = windowVoxels;
  const voxels = columns * rows * slices;
  const probe = new Float32Array(voxels);
  const wanted = placeWindows(grid.size, windowVoxels, options.overlap ?? 0.5).filter((start) => {
    cutWindow(image, grid.size, start, windowVoxels, probe);
    return holdsContent(probe, columns, rows);
  });
  const blend = startBlend(grid.size, windowVoxels, segments);
  const samples = {
    count: wanted.length,
    voxels,
    classes: segments + 1,
    fill: (index: number, into: Float32Array) => cutWindow(image, grid.size, wanted[index]!, windowVoxels, into),
    take: (index: number, probabilities: Float32Array) =>
      addWindow(blend, wanted[index]!, probabilities.subarray(voxels)),
  };
  await askInBatches(samples, predict, options);
  finishBlend(blend);
  const seen = new Uint8Array(blend.weight.length);
  for (let n = 0; n < seen.length; n++) seen[n] = blend.weight[n]! > 0 ? 1 : 0;
  const anySegment = sumForeground(blend.fields);
  return { foreground: blend.fields, anySegment, entropy: blendedEntropy(blend, grid), seen };
}

/** A slice at a time, written over the weights, which nobody needs any more: a grid of a body takes hundreds of MB. */
function blendedEntropy({ fields, weight }: Blend, grid: Geometry): Float32Array {
  const pixels = grid.size[0] * grid.size[1];
  const background = new Float32Array(pixels);
  for (let from = 0; from < voxelCount(grid); from += pixels) {
    const foreground = fields.map((field) => field.subarray(from, from + pixels));
    // Rounding may take the sum of the segments a little above 1, and no logarithm is taken of less than nothing.
    for (let n = 0; n < pixels; n++)
      background[n] = Math.max(
        0,
        foreground.reduce((rest, field) => rest - field[n]!, 1),
      );
    weight.set(normalisedEntropy([background, ...foreground]), from);
  }
  return weight;
}
