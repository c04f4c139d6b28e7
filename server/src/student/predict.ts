import { AppError } from '../errors/app-error.ts';

/** What a network says of `n` samples. */
export interface Prediction {
  /** `[n, class, space...]` float32, background first, sum 1 over the classes. */
  readonly probabilities: Float32Array;
  /** Normalised entropy, `[n, 1, space...]` float32, 0 sure .. 1 unsure. */
  readonly entropy: Float32Array;
}

/**
 * Runs the network on `n` samples: `images` is `[n, 1, space...]` float32 in [0, 1]; the space of a sample is a slice
 * `[row, column]` or a window `[slice, row, column]`. `n` is at most the batch size, and smaller in the last call.
 */
export type Predict = (images: Float32Array, n: number) => Promise<Prediction>;

export interface PredictOptions {
  /** Samples of one run of the network. */
  readonly batch: number;
  /** Share of a window that lies in the next one along each axis, 0 .. below 1; one half when absent. Not for slices. */
  readonly overlap?: number;
  readonly onProgress?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

/** The network's answer for its whole grid, `[slice, row, column]`. */
export interface Answer {
  /** Probability of each segment, float32, by number - 1; 0 where the network did not look. */
  readonly foreground: readonly Float32Array[];
  /** Probability of any segment: of one alone the same array. */
  readonly anySegment: Float32Array;
  /** Normalised entropy, float32; 0 where the network did not look. */
  readonly entropy: Float32Array;
  /** 1 where the network looked. */
  readonly seen: Uint8Array;
}

/** What is shown to the network, sample by sample. */
export interface Samples {
  readonly count: number;
  /** Voxels of one. */
  readonly voxels: number;
  /** Background included. */
  readonly classes: number;
  /** Writes sample `index`. */
  fill(index: number, image: Float32Array): void;
  /** Gets what was said of it: `probabilities` `[class, space...]`, `entropy` `[space...]`; only to read, and only now. */
  take(index: number, probabilities: Float32Array, entropy: Float32Array): void;
}

/**
 * Shows samples to the network, a batch at a time: only one batch of them is held.
 *
 * Throws `job-cancelled` (at the next batch after `signal`), and `engine-failed` when the network answers with a value
 * that is not a number.
 */
export async function askInBatches(samples: Samples, predict: Predict, options: PredictOptions): Promise<void> {
  const { count, voxels, classes } = samples;
  const { batch, onProgress = () => {}, signal } = options;
  for (let first = 0; first < count; first += batch) {
    throwIfCancelled(signal);
    onProgress((100 * first) / count);
    const n = Math.min(batch, count - first);
    const images = new Float32Array(n * voxels);
    for (let m = 0; m < n; m++) samples.fill(first + m, images.subarray(m * voxels, (m + 1) * voxels));
    const { probabilities, entropy } = await predict(images, n);
    checkPrediction({ probabilities, entropy }, n, samples, first);
    for (let m = 0; m < n; m++) {
      const ofClasses = probabilities.subarray(m * classes * voxels, (m + 1) * classes * voxels);
      samples.take(first + m, ofClasses, entropy.subarray(m * voxels, (m + 1) * voxels));
    }
  }
}

/** Throws `job-cancelled` once the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError('job-cancelled', 'The segmentation was cancelled.');
}

function checkPrediction(
  { probabilities, entropy }: Prediction,
  n: number,
  { count, voxels, classes }: Samples,
  first: number,
): void {
  if (probabilities.length !== n * classes * voxels || entropy.length !== n * voxels)
    throw new RangeError(
      `network answered ${probabilities.length} and ${entropy.length} values for ${n} samples of ${voxels}`,
    );
  if (!areFinite(probabilities) || !areFinite(entropy))
    throw new AppError('engine-failed', 'The network answered with a value that is not a number.', {
      firstSample: first,
      lastSample: first + n - 1,
      samples: count,
    });
}

/** A loop, because `every` takes five times as long, and a window has millions of values. */
function areFinite(values: Float32Array): boolean {
  for (let n = 0; n < values.length; n++) if (!Number.isFinite(values[n]!)) return false;
  return true;
}
