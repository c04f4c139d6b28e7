import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../errors/app-error.ts';
import type { Geometry } from '../volume/geometry.ts';
import type { Volume, VoxelArray } from '../volume/volume.ts';
import { createVolume } from '../volume/volume.ts';
import type { ImageObject } from './image-object.ts';
import { unreadable } from './part10.ts';
import type { StoredSlice } from './pixel-data.ts';
import { type StoredValues, storedRange } from './samples.ts';
import type { VoxelBlock } from './voxel-block.ts';

/** Lowest attenuation that exists (vacuum is -1000 HU; scanners clip at -1024). */
const lowestHu = -1024;

/** A rescaled volume and what was noticed. */
export interface RescaledVolume {
  readonly volume: Volume;
  readonly notes: readonly string[];
}

/**
 * Stored values to modality units: slope and intercept of each slice (PS3.3 C.11.1.1.2), for all slices together an
 * integer type when every value is an integer that fits, else float32. Padding is marked and holds the least real value,
 * so that no statistic or interpolation meets the padding value itself. MONOCHROME1 is not inverted.
 *
 * @param images in slice order; `slices[k]` are the stored values of `images[k]`.
 * @param block memory that may become that of the volume, when it holds these slices and the voxels are integers: they are
 *   rescaled in their place, and `slices` must not be used any more.
 * @throws AppError `series-no-contrast`: one value everywhere; `instance-unreadable`: values beyond float32.
 */
export async function rescale(
  images: readonly ImageObject[],
  slices: readonly StoredSlice[],
  geometry: Geometry,
  block?: VoxelBlock,
): Promise<RescaledVolume> {
  const notes: string[] = [];
  const marks = slices.map(({ padding }) => padding);
  let range = await realRange(images, slices, marks);
  const unmarked = await findUnmarkedPadding(images, slices, marks, range);
  if (unmarked !== undefined) {
    markValue(images, slices, marks, unmarked);
    range = await realRange(images, slices, marks);
    notes.push(`Voxels of the value ${unmarked} around the image are taken as padding.`);
  }
  if (!(range.most > range.least)) {
    const seen = Number.isFinite(range.least) ? `the value ${range.least}` : 'nothing but padding';
    throw new AppError('series-no-contrast', `Every voxel of the series holds ${seen}.`, { slices: images.length });
  }
  const perSlice = geometry.size[0] * geometry.size[1];
  const Type = voxelType(images, range);
  const values = slices.map((slice) => slice.values);
  const isInPlace = Type !== Float32Array && block?.isMadeOf(values) === true;
  const data = isInPlace ? undefined : new Type(perSlice * slices.length);
  const padding = marks.some((mark) => mark !== undefined) ? new Uint8Array(perSlice * slices.length) : undefined;
  for (const [k, stored] of values.entries()) {
    const start = k * perSlice;
    const target = data?.subarray(start, start + perSlice) ?? new Type(stored.buffer, stored.byteOffset, perSlice);
    await nextTurn();
    fill(target, stored, images[k]!);
    const mark = marks[k];
    if (mark === undefined) continue;
    padding?.set(mark, start);
    for (let n = 0; n < perSlice; n++) if (mark[n] === 1) target[n] = range.least;
  }
  const voxels = data ?? new Type(block!.arrange(values));
  return { volume: createVolume(voxels, geometry, padding), notes };
}

interface Range {
  readonly least: number;
  readonly most: number;
}

type Marks = (Uint8Array | undefined)[];

/** The loops over voxels stand in functions of their own, which the compiler optimises after a few slices. */
function fill(target: VoxelArray, values: StoredValues, { slope, intercept }: ImageObject): void {
  // All values fit: `voxelType` has seen to it, so those that are in their place already have the same bits in both types.
  if (slope === 1 && intercept === 0) {
    if (target.buffer !== values.buffer) target.set(values);
  }
  // Whole numbers stay whole numbers for the processor, too.
  else if (target instanceof Int16Array) fillWhole(target, values, slope, intercept);
  else for (let n = 0; n < values.length; n++) target[n] = values[n]! * slope + intercept;
}

function fillWhole(target: Int16Array, values: StoredValues, slope: number, intercept: number): void {
  for (let n = 0; n < values.length; n++) target[n] = Math.imul(values[n]!, slope) + intercept;
}

async function realRange(images: readonly ImageObject[], slices: readonly StoredSlice[], marks: Marks): Promise<Range> {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const [k, slice] of slices.entries()) {
    let [low, high] = slice.range;
    if (marks[k] !== slice.padding) {
      // Other requests of this process get a turn between two slices.
      await nextTurn();
      [low, high] = storedRange(slice.values, marks[k]);
    }
    if (low > high) continue;
    const { slope, intercept, name } = images[k]!;
    const ends = [low * slope + intercept, high * slope + intercept];
    if (!ends.every((end) => Number.isFinite(Math.fround(end)))) {
      throw unreadable(name, `leaves the range of numbers with RescaleSlope ${slope}`, { slope, intercept });
    }
    least = Math.min(least, ...ends);
    most = Math.max(most, ...ends);
  }
  return { least, most };
}

function voxelType(
  images: readonly ImageObject[],
  { least, most }: Range,
): Int16ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor {
  const isWhole = images.every(({ slope, intercept }) => Number.isInteger(slope) && Number.isInteger(intercept));
  if (isWhole && least >= -32768 && most <= 32767) return Int16Array;
  if (isWhole && least >= 0 && most <= 65535) return Uint16Array;
  return Float32Array;
}

/**
 * The padding value of a series that does not declare one: a lowest value that fills the corners of most slices and
 * cannot be an image value (below -1024 HU in CT; negative in a series that is otherwise not).
 */
async function findUnmarkedPadding(
  images: readonly ImageObject[],
  slices: readonly StoredSlice[],
  marks: Marks,
  { least }: Range,
): Promise<number | undefined> {
  const isCt = images[0]?.modality === 'CT';
  if (!(least < (isCt ? lowestHu : 0)) || marks.some((mark) => mark !== undefined)) return undefined;
  let slicesWithCorners = 0;
  for (const [k, { values }] of slices.entries()) {
    const { slope, intercept, format } = images[k]!;
    const corners = [0, format.columns - 1, values.length - format.columns, values.length - 1];
    if (corners.every((at) => values[at]! * slope + intercept === least)) slicesWithCorners++;
  }
  if (slicesWithCorners * 2 <= slices.length) return undefined;
  const candidates: Marks = slices.map(() => undefined);
  markValue(images, slices, candidates, least);
  const rest = await realRange(images, slices, candidates);
  return rest.least >= (isCt ? lowestHu : 0) ? least : undefined;
}

function markValue(images: readonly ImageObject[], slices: readonly StoredSlice[], marks: Marks, real: number): void {
  slices.forEach(({ values }, k) => {
    const { slope, intercept } = images[k]!;
    const mark = marks[k] ?? new Uint8Array(values.length);
    let found = false;
    for (let n = 0; n < values.length; n++) {
      if (values[n]! * slope + intercept === real) {
        mark[n] = 1;
        found = true;
      }
    }
    if (found) marks[k] = mark;
  });
}
