import { AppError } from '../errors/app-error.ts';
import type { Volume } from './volume.ts';
import { wordRange } from './word-range.ts';

/** Which percentiles (0..100) of the image content become 0 and 1. */
export interface PercentileRule {
  readonly lowPercentile: number;
  readonly highPercentile: number;
}

/** Which CT numbers (HU) become 0 and 1; `lowHu < highHu`. */
export interface HuRule {
  readonly lowHu: number;
  readonly highHu: number;
}

export type IntensityRule = PercentileRule | HuRule;

/** Modality values that become 0 and 1; `low < high`. */
export interface IntensityWindow {
  readonly low: number;
  readonly high: number;
}

/** A row that repeats one value at least this often is background, padding without a tag, or saturation: no content. */
const CONSTANT_RUN = 8;
/** Percentiles are read from evenly spread rows of at most about this many values. */
const SAMPLE_LIMIT = 1_000_000;

/**
 * The values between which a volume's content lies, or the CT numbers that the rule names.
 *
 * Percentiles are taken over voxels that are finite, not padding, not in a run of 8 or more equal values along a row,
 * and not the lowest value: so zero slices, air that was set to a constant, and padding without its tag do not count.
 * Where nothing else is left (a drawing without noise), lowest and highest value are taken. No absolute number enters,
 * so `a * x + b` (a > 0) gives the same window in its own units, also for a = 1e-8.
 *
 * Throws `series-no-contrast` when every voxel has the same value.
 */
export function findIntensityWindow(volume: Volume, rule: IntensityRule): IntensityWindow {
  const { low: lowest, high: highest } = findRange(volume);
  if (!(lowest < highest)) {
    const seen = Number.isFinite(lowest) ? `every voxel is ${lowest}` : 'it holds no value inside the scan';
    throw new AppError('series-no-contrast', `The series has no contrast: ${seen}.`);
  }
  if ('lowHu' in rule) return { low: rule.lowHu, high: rule.highHu };
  const content = collectContent(volume, lowest);
  if (content.count > 0) {
    const ranks = [rule.lowPercentile, rule.highPercentile].map((percentile) => rankOf(content.count, percentile));
    const [low = 0, high = 0] = content.valuesAt(ranks);
    if (low < high) return { low, high };
  }
  return { low: lowest, high: highest };
}

/** `x` in the window as 0..1, clipped; what is not a number becomes 0. */
export function applyWindow(x: number, window: IntensityWindow): number {
  const y = (x - window.low) / (window.high - window.low);
  return y > 0 ? Math.min(1, y) : 0;
}

/** Lowest and highest finite value that is not padding; +Infinity and -Infinity when there is none. */
export function findRange(volume: Volume): IntensityWindow {
  const { data, padding } = volume;
  if (padding === undefined && (data instanceof Int16Array || data instanceof Uint16Array)) {
    const [low, high] = wordRange(data);
    return { low, high };
  }
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let n = 0; n < data.length; n++) {
    const x = data[n]!;
    if (padding !== undefined && padding[n] !== 0) continue;
    if (x < low && x > Number.NEGATIVE_INFINITY) low = x;
    if (x > high && x < Number.POSITIVE_INFINITY) high = x;
  }
  return { low, high };
}

/** Values by rank. */
interface Content {
  readonly count: number;
  /** Of 0-based ranks. */
  valuesAt(ranks: readonly number[]): readonly number[];
}

/** The content, as {@link findIntensityWindow} defines it, of every n-th row. */
function collectContent(volume: Volume, lowest: number): Content {
  const { data, geometry } = volume;
  const columns = geometry.size[0];
  const stride = columns * Math.max(1, Math.ceil(data.length / SAMPLE_LIMIT));
  const found = new Float64Array(columns);
  if (data instanceof Int16Array || data instanceof Uint16Array) {
    // There are few of them: counted, and not put in order.
    const least = data instanceof Int16Array ? -32768 : 0;
    const times = new Uint32Array(65536);
    for (let row = 0; row < data.length; row += stride)
      for (let n = contentOfRow(volume, row, lowest, found) - 1; n >= 0; n--) times[found[n]! - least]!++;
    return countedContent(times, least);
  }
  const content = new Float64Array(columns * Math.ceil(data.length / stride));
  let count = 0;
  for (let row = 0; row < data.length; row += stride)
    count += contentOfRow(volume, row, lowest, content.subarray(count));
  const kept = content.subarray(0, count);
  return { count, valuesAt: (ranks) => ranks.map((rank) => selectRank(kept, rank)) };
}

function countedContent(times: Uint32Array, least: number): Content {
  const valueAt = (rank: number): number => {
    let at = 0;
    for (let before = times[0]!; before <= rank; before += times[at]!) at++;
    return at + least;
  };
  return { count: times.reduce((sum, n) => sum + n, 0), valuesAt: (ranks) => ranks.map(valueAt) };
}

/** Writes the content of the row that begins at `row`; returns how many values it has. */
function contentOfRow({ data, padding, geometry }: Volume, row: number, lowest: number, out: Float64Array): number {
  const columns = geometry.size[0];
  const longest = Math.min(CONSTANT_RUN, columns);
  let kept = 0;
  for (let start = row; start < row + columns; ) {
    const x = data[start]!;
    let end = start + 1;
    while (end < row + columns && data[end] === x) end++;
    if (end - start < longest && x !== lowest && Number.isFinite(x))
      for (let n = start; n < end; n++) if (padding === undefined || padding[n] === 0) out[kept++] = x;
    start = end;
  }
  return kept;
}

function rankOf(count: number, percentile: number): number {
  return Math.min(count - 1, Math.max(0, Math.round((percentile / 100) * (count - 1))));
}

/** The value of 0-based rank `rank`; reorders `values` (Hoare's selection, linear time). */
function selectRank(values: Float64Array, rank: number): number {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = values[(left + right) >> 1]!;
    let i = left;
    let j = right;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i <= j) {
        const swap = values[i]!;
        values[i++] = values[j]!;
        values[j--] = swap;
      }
    }
    if (rank <= j) right = j;
    else if (rank >= i) left = i;
    else break;
  }
  return values[rank]!;
}
