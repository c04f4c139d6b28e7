import { AppError } from '../errors/app-error.ts';
import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import type { Labelmap, Segment } from '../labelmap/labelmap.ts';
import { meanUncertainty } from '../labelmap/uncertainty.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import type { Box } from '../volume/interpolate.ts';
import { resampleLabels, sliceMapper } from '../volume/resample.ts';
import type { Volume } from '../volume/volume.ts';
import { holdsContent, type PlaneInput, type PreparedSlices, prepareSlices } from './prepare.ts';

/** What segmenting needs of a model card. */
export interface SegmentCard {
  readonly input: PlaneInput;
  readonly segments: readonly (Segment & SegmentRule)[];
}

/**
 * Runs the network on `n` slices: `images` is `[n, 1, row, column]` in [0, 1]; back come class probabilities
 * `[n, class, row, column]`, background first, and normalised entropy `[n, 1, row, column]`, all float32. `n` is at
 * most the batch size, and smaller in the last call.
 */
export type Predict = (
  images: Float32Array,
  n: number,
) => Promise<{ readonly probabilities: Float32Array; readonly entropy: Float32Array }>;

export interface SegmentOptions {
  /** Slices for one run of the network. */
  readonly batch: number;
  readonly onProgress?: (stage: 'resample' | 'segment' | 'decide', percent: number) => void;
  readonly signal?: AbortSignal;
}

export interface SegmentedVolume {
  /** On the grid of the volume. */
  readonly labelmap: Labelmap;
  /** Mean normalised entropy in and around the segments, 0 sure .. 1 unsure. */
  readonly uncertainty: number;
  /** Milliseconds of each stage: `resample`, `segment`, `decide`. */
  readonly timingsMs: Readonly<Record<string, number>>;
}

/** The mask is dilated this far before its uncertainty is averaged: the doubtful rim counts, plain air does not. */
const RIM_MM = 4;

/**
 * Segments a volume slice by slice and decides on the volume's own grid: class probabilities are mapped back, not
 * labels, so outlines are as smooth as the source allows. Slices that show nothing but air are background and never
 * reach the network.
 *
 * Throws `series-no-contrast`, `job-cancelled` (at the next batch after `signal`), and `engine-failed` when the network
 * answers with a value that is not a number.
 */
export async function segmentVolume(
  volume: Volume,
  card: SegmentCard,
  predict: Predict,
  options: SegmentOptions,
): Promise<SegmentedVolume> {
  const { onProgress = () => {} } = options;
  const timingsMs: Record<string, number> = {};
  let last = performance.now();
  const finish = (stage: 'resample' | 'segment' | 'decide'): void => {
    const now = performance.now();
    timingsMs[stage] = now - last;
    last = now;
    onProgress(stage, 100);
  };
  throwIfCancelled(options.signal);
  onProgress('resample', 0);
  const prepared = prepareSlices(volume, card.input);
  finish('resample');
  const answer = await predictSlices(prepared, card.segments.length, predict, options);
  finish('segment');
  throwIfCancelled(options.signal);
  onProgress('decide', 0);
  const data = decideVolume(answer.foreground, prepared.grid, volume.geometry, card.segments);
  const onGrid = resampleLabels(data, volume.geometry, prepared.grid);
  const uncertainty = meanUncertainty(answer.entropy, onGrid, prepared.grid, RIM_MM, answer.seen);
  finish('decide');
  return { labelmap: { data, geometry: volume.geometry, segments: card.segments }, uncertainty, timingsMs };
}

/** The network's answer for the whole grid, `[slice, row, column]`. */
interface Answer {
  /** Probability of each segment, by number - 1. */
  readonly foreground: readonly Float32Array[];
  readonly entropy: Float32Array;
  /** 1 where the network looked. */
  readonly seen: Uint8Array;
}

async function predictSlices(
  { grid, images }: PreparedSlices,
  segments: number,
  predict: Predict,
  { batch, onProgress = () => {}, signal }: SegmentOptions,
): Promise<Answer> {
  const pixels = grid.size[0] * grid.size[1];
  const voxels = voxelCount(grid);
  const foreground = Array.from({ length: segments }, () => new Float32Array(voxels));
  const entropy = new Float32Array(voxels);
  const seen = new Uint8Array(voxels);
  const wanted = images.flatMap((image, k) => (holdsContent(image, grid.size[0]) ? [k] : []));
  for (let first = 0; first < wanted.length; first += batch) {
    throwIfCancelled(signal);
    onProgress('segment', (100 * first) / wanted.length);
    const slices = wanted.slice(first, first + batch);
    const input = new Float32Array(slices.length * pixels);
    for (const [n, k] of slices.entries()) input.set(images[k]!, n * pixels);
    const answer = await predict(input, slices.length);
    checkAnswer(answer, slices, segments + 1, pixels);
    for (const [n, k] of slices.entries()) {
      for (const [s, values] of foreground.entries()) {
        const from = (n * (segments + 1) + s + 1) * pixels;
        values.set(answer.probabilities.subarray(from, from + pixels), k * pixels);
      }
      entropy.set(answer.entropy.subarray(n * pixels, (n + 1) * pixels), k * pixels);
      seen.fill(1, k * pixels, (k + 1) * pixels);
    }
  }
  return { foreground, entropy, seen };
}

function checkAnswer(
  { probabilities, entropy }: Awaited<ReturnType<Predict>>,
  slices: readonly number[],
  classes: number,
  pixels: number,
): void {
  if (probabilities.length !== slices.length * classes * pixels || entropy.length !== slices.length * pixels)
    throw new RangeError(
      `network answered ${probabilities.length} and ${entropy.length} values for ${slices.length} slices of ${pixels}`,
    );
  const areNumbers = probabilities.every(Number.isFinite) && entropy.every(Number.isFinite);
  if (!areNumbers)
    throw new AppError('engine-failed', 'The network answered with a value that is not a number.', {
      firstSlice: slices[0]!,
      lastSlice: slices.at(-1)!,
    });
}

/** Labels on the source grid, decided from interpolated probabilities a source slice at a time. */
function decideVolume(
  foreground: readonly Float32Array[],
  grid: Geometry,
  source: Geometry,
  rules: readonly SegmentRule[],
): Uint8Array {
  const labels = new Uint8Array(voxelCount(source));
  const box = foregroundBox(foreground, grid);
  if (box === null) return labels;
  const probabilitiesOf = sliceMapper(foreground, grid, source, box);
  const pixels = source.size[0] * source.size[1];
  for (let k = 0; k < source.size[2]; k++) decideLabels(probabilitiesOf(k), labels, k * pixels);
  applySegmentRules(labels, source, rules);
  return labels;
}

/**
 * The grid voxels outside which every interpolated voxel is background: a segment can only win where some neighbour has
 * a foreground of one half or more in all. Null when there is none.
 */
function foregroundBox(foreground: readonly Float32Array[], grid: Geometry): Box | null {
  const [columns, rows, slices] = grid.size;
  const low = [columns, rows, slices] as [number, number, number];
  const high = [-1, -1, -1] as [number, number, number];
  for (let n = 0; n < voxelCount(grid); n++) {
    let sum = 0;
    for (const values of foreground) sum += values[n]!;
    if (sum < 0.5 - 1e-6) continue;
    const index = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis]!, index[axis]!);
      high[axis] = Math.max(high[axis]!, index[axis]!);
    }
  }
  if (high[0] < 0) return null;
  // One voxel further, because an interpolated voxel reads its neighbours on both sides; never beyond the grid.
  const first = (axis: 0 | 1 | 2): number => Math.max(0, low[axis] - 1);
  const last = (axis: 0 | 1 | 2): number => Math.min(grid.size[axis] - 1, high[axis] + 1);
  return { low: [first(0), first(1), first(2)], high: [last(0), last(1), last(2)] };
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError('job-cancelled', 'The segmentation was cancelled.');
}
