import type { Geometry } from '../volume/geometry.ts';
import type { Volume } from '../volume/volume.ts';
import type { Answer, Predict, PredictOptions } from './predict.ts';
import { predictSlices } from './predict-slices.ts';
import { predictWindows } from './predict-windows.ts';
import { type PlaneInput, prepareSlices } from './prepare.ts';
import { prepareVolume, type VolumeInput } from './prepare-volume.ts';

/** What a network wants to see: slices, or windows of a volume. The `input` of a model card fits. */
export type StudentInput = PlaneInput | VolumeInput;

/** A volume on the grid of a network, and the way to ask the network about all of it. */
export interface Prepared {
  readonly grid: Geometry;
  /** @param segments classes without the background. */
  ask(segments: number, predict: Predict, options: PredictOptions): Promise<Answer>;
}

/** The space of one sample: [H,W] of a slice, [D,H,W] of a window. */
export function sampleSpace(input: StudentInput): readonly number[] {
  return ('windowVoxels' in input ? input.windowVoxels : input.sizePx).toReversed();
}

/**
 * Brings a volume to what a network wants to see.
 *
 * Throws `series-no-contrast` for a constant volume.
 */
export function prepareInput(volume: Volume, input: StudentInput): Prepared {
  if ('windowVoxels' in input) {
    const prepared = prepareVolume(volume, input);
    return { grid: prepared.grid, ask: (...what) => predictWindows(prepared, input.windowVoxels, ...what) };
  }
  const prepared = prepareSlices(volume, input);
  return { grid: prepared.grid, ask: (...what) => predictSlices(prepared, ...what) };
}
