import type { PreparedVolume } from './prepare-volume.ts';

/** Side of the blocks that are looked at, voxels. */
const side = 4;
const blockVoxels = side ** 3;
/** Mean of a block above which it shows something. */
const contentLevel = 0.2;
/** Fewer blocks of content tell too little. */
const leastBlocks = 50;
/** Keeps logarithms of what may be 0 finite. */
const nothing = 1e-3;

/** What is measured of an image, in the order of {@link imageTraits}. */
export const traitNames = [
  'texture, 10th percentile',
  'texture, 25th percentile',
  'texture, median',
  'texture, 75th percentile',
  'texture, 90th percentile',
  'brightness, mean',
  'brightness, spread',
  'brightness, skewness',
  'brightness, 5th percentile',
  'brightness, 95th percentile',
  'steps between neighbours',
  'steps two apart to steps',
  'bends to steps',
  'share of content',
  'share of the brightest',
] as const;

/** What the images that a model was made for look like: their traits as a normal distribution. */
export interface Familiar {
  readonly mean: readonly number[];
  readonly sd: readonly number[];
  /** Lower triangle, row by row, of the inverse of the correlations. */
  readonly precision: readonly (readonly number[])[];
  /** Mahalanobis distance beyond which an image is strange. */
  readonly most: number;
}

/** First voxel and number of voxels along each axis, `[column, row, slice]`. */
export interface Part {
  readonly start: readonly [number, number, number];
  readonly size: readonly [number, number, number];
}

/**
 * Figures of an image as a network sees it that need no network: how rough and how bright its blocks of 4 x 4 x 4 voxels
 * are, where they show anything, and how neighbours differ. Drawings are too smooth, noise is too even, and another kind
 * of scan spreads its brightness otherwise; what the network itself makes of them may look sure.
 *
 * @param part of the image; by default all of it.
 * @returns null when next to nothing is shown.
 */
export function imageTraits(
  { grid, image }: PreparedVolume,
  { start, size }: Part = { start: [0, 0, 0], size: grid.size },
): number[] | null {
  const [columns, rows] = grid.size;
  const sums = new Sums();
  for (let k = start[2]; k + side <= start[2] + size[2]; k += side)
    for (let j = start[1]; j + side <= start[1] + size[1]; j += side)
      for (let i = start[0]; i + side <= start[0] + size[0]; i += side)
        sums.add(image, (k * rows + j) * columns + i, columns, columns * rows);
  return sums.traits();
}

class Sums {
  #blocks = 0;
  readonly #means: number[] = [];
  readonly #textures: number[] = [];
  #steps = 0;
  #steps2 = 0;
  #bends = 0;
  #brightest = 0;

  add(image: Float32Array, first: number, row: number, plane: number): void {
    this.#blocks++;
    let [sum, squares] = [0, 0];
    for (let k = 0; k < side; k++)
      for (let j = 0; j < side; j++)
        for (let n = first + k * plane + j * row, end = n + side; n < end; n++) {
          const value = image[n]!;
          sum += value;
          squares += value * value;
        }
    const mean = sum / blockVoxels;
    if (mean < contentLevel) return;
    this.#means.push(mean);
    this.#textures.push(Math.sqrt(Math.max(0, squares / blockVoxels - mean * mean)));
    for (let k = 0; k < side; k++)
      for (let j = 0; j < side; j++) {
        const n = first + k * plane + j * row;
        const [a, b, c, d] = [image[n]!, image[n + 1]!, image[n + 2]!, image[n + 3]!];
        this.#steps += (Math.abs(a - b) + Math.abs(b - c) + Math.abs(c - d)) / 3;
        this.#steps2 += (Math.abs(a - c) + Math.abs(b - d)) / 2;
        this.#bends += (Math.abs(a - 2 * b + c) + Math.abs(b - 2 * c + d)) / 2;
        this.#brightest += (Number(a > 0.99) + Number(d > 0.99)) / 2;
      }
  }

  traits(): number[] | null {
    const count = this.#means.length;
    if (count < leastBlocks) return null;
    const means = Float64Array.from(this.#means).sort();
    const textures = Float64Array.from(this.#textures).sort();
    const mean = means.reduce((sum, x) => sum + x, 0) / count;
    const moment = (power: number) => means.reduce((sum, x) => sum + (x - mean) ** power, 0) / count;
    const spread = Math.sqrt(moment(2));
    const at = (sorted: Float64Array, share: number) => sorted[Math.floor(share * (count - 1))]!;
    const lines = count * side * side;
    return [
      ...[0.1, 0.25, 0.5, 0.75, 0.9].map((share) => Math.log(at(textures, share) + nothing)),
      mean,
      Math.log(spread + nothing),
      moment(3) / (spread + nothing) ** 3,
      ...[0.05, 0.95].map((share) => at(means, share)),
      Math.log(this.#steps / lines + nothing),
      Math.log((this.#steps2 + nothing) / (this.#steps + nothing)),
      Math.log((this.#bends + nothing) / (this.#steps + nothing)),
      count / this.#blocks,
      this.#brightest / lines,
    ];
  }
}

/** Correlations are drawn this far towards none: few images know them little. */
const shrinkage = 0.05;
/** Of the images that it is made from, so many of a hundred lie within `most` by this factor. */
const [keptShare, margin] = [0.99, 1.25];

/** What images look like, from the traits of twice as many images as there are traits or more. @throws RangeError for fewer */
export function describeFamiliar(images: readonly (readonly number[])[]): Familiar {
  const traits = traitNames.length;
  if (images.length < 2 * traits) throw new RangeError(`${images.length} images are too few for ${traits} traits`);
  const over = (of: (image: readonly number[]) => number) =>
    images.reduce((sum, image) => sum + of(image), 0) / images.length;
  const mean = traitNames.map((_, t) => over((image) => image[t]!));
  const sd = mean.map((centre, t) => Math.sqrt(over((image) => (image[t]! - centre) ** 2)) + nothing);
  const scaled = (image: readonly number[], t: number) => (image[t]! - mean[t]!) / sd[t]!;
  const correlations = mean.map((_, a) =>
    mean.map(
      (__, b) => (1 - shrinkage) * over((image) => scaled(image, a) * scaled(image, b)) + (a === b ? shrinkage : 0),
    ),
  );
  const short = (x: number) => Number(x.toPrecision(5));
  const precision = invert(correlations).map((row, t) => row.slice(0, t + 1).map(short));
  const shape = { mean: mean.map(short), sd: sd.map(short), precision };
  const distances = images.map((image) => strangeness(image, shape)).sort((a, b) => a - b);
  return { ...shape, most: short(margin * distances[Math.ceil(keptShare * images.length) - 1]!) };
}

/** Mahalanobis distance of an image from those that a model was made for. */
export function strangeness(
  traits: readonly number[],
  { mean, sd, precision }: Pick<Familiar, 'mean' | 'sd' | 'precision'>,
): number {
  const z = traits.map((value, t) => (value - mean[t]!) / sd[t]!);
  let sum = 0;
  for (const [a, row] of precision.entries())
    for (const [b, weight] of row.entries()) sum += (a === b ? 1 : 2) * weight * z[a]! * z[b]!;
  return Math.sqrt(Math.max(0, sum));
}

/** Of a symmetric matrix with positive eigenvalues (Gauss and Jordan). */
function invert(matrix: readonly (readonly number[])[]): number[][] {
  const rows = matrix.map((row, a) => [...row, ...row.map((_, b) => (a === b ? 1 : 0))]);
  for (const [at, own] of rows.entries()) {
    const pivot = own[at]!;
    for (let b = 0; b < own.length; b++) own[b]! /= pivot;
    for (const other of rows) {
      if (other === own) continue;
      const factor = other[at]!;
      for (let b = 0; b < own.length; b++) other[b]! -= factor * own[b]!;
    }
  }
  return rows.map((row) => row.slice(matrix.length));
}
