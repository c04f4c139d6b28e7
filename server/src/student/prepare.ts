import type { Labelmap } from '../labelmap/labelmap.ts';
import {
  type Geometry,
  type Plane,
  patientToIndex,
  planeGrid,
  stepsToPatient,
  subGrid,
  type Vec3,
  voxelCount,
} from '../volume/geometry.ts';
import { applyWindow, findIntensityWindow, type IntensityRule, type IntensityWindow } from '../volume/intensity.ts';
import { nearestVoxels } from '../volume/nearest.ts';
import { resample } from '../volume/resample.ts';
import { lastStep, sliceShares, stepOfSlice } from '../volume/slice-steps.ts';
import type { Volume } from '../volume/volume.ts';
import type { PreparedVolume } from './prepare-volume.ts';

/** What a network wants to see; the `input` of a model card fits. */
export interface PlaneInput {
  readonly plane: Plane;
  /** `[column, row, slice]` mm in the plane's own axes. */
  readonly spacingMm: Vec3;
  /** `[columns, rows]` of the network's image. */
  readonly sizePx: readonly [number, number];
  readonly intensity: IntensityRule;
}

/**
 * A volume as a 2D network sees it: the grid is patient-aligned, `[columns, rows]` of it are the network's image, with every
 * slice that the source reaches. Pixel (i, j) of `images[k]` is voxel (i, j, k).
 */
export interface PreparedSlices extends PreparedVolume {
  /** `[row, column]` float32 in [0, 1], one a slice; views of `image`. */
  readonly images: readonly Float32Array[];
}

/** A reader's word on a grid, `[slice, row, column]` uint8. */
export interface GridLabels {
  /** Class index. */
  readonly label: Uint8Array;
  /** 1 where the reader vouches for the label. */
  readonly known: Uint8Array;
}

/** At most about this many voxels are looked at to find the content. */
const CONTENT_SAMPLES = 200_000;

/**
 * Brings a volume to the plane, spacing, size and value range of a network.
 *
 * The window is read from the source voxels (so it does not depend on the network's grid) and applied before
 * resampling, so an outlier or untagged padding cannot bleed into its neighbours. Slices keep the axis order of
 * {@link planeGrid}. Where the scan fits into the image it is centred; where it does not, the image is centred on
 * the content (the voxels above the mean), as far as it stays within the scan.
 *
 * Throws `series-no-contrast` for a constant volume.
 */
export function prepareSlices(volume: Volume, input: PlaneInput): PreparedSlices {
  const window = findIntensityWindow(volume, input.intensity);
  const whole = planeGrid(volume.geometry, input.plane, input.spacingMm);
  const centre = patientToIndex(whole, findContentCentre(volume, window));
  const [columns, rows] = input.sizePx;
  const start: Vec3 = [placeImage(whole.size[0], columns, centre[0]), placeImage(whole.size[1], rows, centre[1]), 0];
  const grid = subGrid(whole, start, [columns, rows, whole.size[2]]);
  const { data } = resample(volume, grid, { outside: 0, window }).volume;
  const images = Array.from({ length: whole.size[2] }, (_, k) =>
    data.subarray(k * rows * columns, (k + 1) * rows * columns),
  );
  return { grid, image: data, images };
}

/** Side of the blocks that are looked at for content, voxels along every axis that the image has. */
const contentBlock = 8;
/** Mean of a block, share of the intensity window, above which it is more than noise. */
const contentLevel = 0.2;

/**
 * Whether a prepared slice or window shows anything but air. What does not is background by definition and is never
 * given to a network: instance norms would blow its noise up to the contrast of a head.
 *
 * @param image `[row, column]` or `[slice, row, column]` float32 in [0, 1]; its sides are multiples of 8.
 * @param rows of a window; those of a slice follow from its length.
 */
export function holdsContent(image: Float32Array, columns: number, rows = image.length / columns): boolean {
  const plane = columns * rows;
  const depth = Math.min(contentBlock, image.length / plane);
  const least = contentLevel * contentBlock ** 2 * depth;
  for (let front = 0; front < image.length; front += depth * plane) {
    for (let top = front; top < front + plane; top += contentBlock * columns) {
      for (let left = top; left < top + columns; left += contentBlock) {
        if (sumBlock(image, left, columns, plane, depth) > least) return true;
      }
    }
  }
  return false;
}

function sumBlock(image: Float32Array, first: number, columns: number, plane: number, depth: number): number {
  let sum = 0;
  for (let k = 0; k < depth; k++) {
    for (let j = 0; j < contentBlock; j++) {
      const row = first + k * plane + j * columns;
      for (let i = row; i < row + contentBlock; i++) sum += image[i] ?? 0;
    }
  }
  return sum;
}

/**
 * Carries a reader's labelmap, on the source grid, to the grid of a network: nearest voxel.
 *
 * A voxel is known when its centre lies in a source voxel of an approved slice (`approvedSlices`: k of the source
 * grid), that is within half a slice of it. Voxels outside the source are neither labelled nor known.
 */
export function labelGrid(labelmap: Labelmap, approvedSlices: ReadonlySet<number>, grid: Geometry): GridLabels {
  const [columns, rows, slices] = labelmap.geometry.size;
  const pixels = columns * rows;
  const isApproved = Uint8Array.from({ length: slices }, (_, k) => (approvedSlices.has(k) ? 1 : 0));
  const nearest = nearestVoxels(labelmap.geometry, grid);
  const label = new Uint8Array(voxelCount(grid));
  const known = new Uint8Array(voxelCount(grid));
  for (let k = 0, first = 0; k < grid.size[2]; k++, first += grid.size[0] * grid.size[1]) {
    for (const [n, voxel] of nearest(k).entries()) {
      if (voxel < 0) continue;
      label[first + n] = labelmap.data[voxel]!;
      known[first + n] = isApproved[Math.floor(voxel / pixels)]!;
    }
  }
  return { label, known };
}

/** First grid index of an image of `length` pixels over `extent` grid voxels whose content lies about `centre`. */
function placeImage(extent: number, length: number, centre: number): number {
  if (extent <= length) return Math.floor((extent - length) / 2);
  return Math.min(extent - length, Math.max(0, Math.round(centre - (length - 1) / 2)));
}

/**
 * Patient position of the middle of all bright voxels, from evenly spread samples. Bright is above the level half-way
 * between the means of what lies below and above it (Ridler and Calvard), so noise in the air does not count.
 */
function findContentCentre(volume: Volume, window: IntensityWindow): Vec3 {
  const { data, padding, geometry } = volume;
  const [columns, rows, slices] = geometry.size;
  const stride = Math.max(1, Math.round(Math.cbrt(data.length / CONTENT_SAMPLES)));
  const shares = sliceShares(geometry);
  const levels = 256;
  const [samples, columnSum, rowSum, sliceSum] = [0, 0, 0, 0].map(() => new Float64Array(levels)) as Histograms;
  for (let k = 0; k < slices; k += stride) {
    const share = shares[k]!;
    const step = stepOfSlice(geometry, k);
    for (let j = 0; j < rows; j += stride)
      for (let i = 0; i < columns; i += stride) {
        const n = (k * rows + j) * columns + i;
        const x = padding !== undefined && padding[n] !== 0 ? 0 : applyWindow(data[n]!, window);
        const level = Math.min(levels - 1, Math.floor(x * levels));
        samples[level]! += share;
        columnSum[level]! += share * i;
        rowSum[level]! += share * j;
        sliceSum[level]! += share * step;
      }
  }
  const bright = findBrightLevel(samples);
  const total = (histogram: Float64Array): number => histogram.subarray(bright).reduce((sum, x) => sum + x, 0);
  const count = total(samples);
  if (count === 0) return stepsToPatient(geometry, [(columns - 1) / 2, (rows - 1) / 2, lastStep(geometry) / 2]);
  return stepsToPatient(geometry, [total(columnSum) / count, total(rowSum) / count, total(sliceSum) / count]);
}

/** Per grey level, samples weighted by the share of their slice: how many, and the sums of their columns, rows and steps. */
type Histograms = [Float64Array, Float64Array, Float64Array, Float64Array];

/** The level from which on a histogram counts as bright. */
function findBrightLevel(histogram: Float64Array): number {
  const meanOf = (from: number, to: number): number => {
    let count = 0;
    let sum = 0;
    for (let level = from; level < to; level++) {
      count += histogram[level]!;
      sum += histogram[level]! * level;
    }
    return count === 0 ? (from + to - 1) / 2 : sum / count;
  };
  let level = Math.ceil(meanOf(0, histogram.length));
  for (let round = 0; round < 30; round++) {
    const next = Math.ceil((meanOf(0, level) + meanOf(level, histogram.length)) / 2);
    if (next === level) break;
    level = next;
  }
  return level;
}
