import type { Volume } from '../volume/volume.ts';
import type { Answer, Predict, PredictOptions } from './predict.ts';
import { predictSlices } from './predict-slices.ts';
import { predictWindows } from './predict-windows.ts';
import { type PlaneInput, prepareSlices } from './prepare.ts';
import { type PreparedVolume, prepareVolume, type VolumeInput } from './prepare-volume.ts';

/** What a network wants to see: slices, or windows of a volume. The `input` of a model card fits. */
export type StudentInput = PlaneInput | VolumeInput;

/** Whether a network sees windows of a volume. */
export function seesWindows(input: StudentInput): input is VolumeInput {
  return 'windowVoxels' in input;
}

/** The space of one sample: [H,W] of a slice, [D,H,W] of a window. */
export function sampleSpace(input: StudentInput): readonly number[] {
  return (seesWindows(input) ? input.windowVoxels : input.sizePx).toReversed();
}

/** Samples of one run: eight slices, or one window: more does not run faster on a CPU and needs more memory. */
export function samplesPerRun(space: readonly number[]): number {
  return space.length === 2 ? 8 : 1;
}

/**
 * Brings a volume to what a network wants to see.
 *
 * Throws `series-no-contrast` for a constant volume.
 */
export function prepareInput(volume: Volume, input: StudentInput): PreparedVolume {
  return seesWindows(input) ? prepareVolume(volume, input) : prepareSlices(volume, input);
}

/**
 * Asks a network about all of a prepared volume.
 *
 * @param segments classes without the background.
 * Throws what `askInBatches` throws.
 */
export function askStudent(
  prepared: PreparedVolume,
  input: StudentInput,
  segments: number,
  predict: Predict,
  options: PredictOptions,
): Promise<Answer> {
  return seesWindows(input)
    ? predictWindows(prepared, input.windowVoxels, segments, predict, options)
    : predictSlices(prepared, segments, predict, options);
}
