import { type Geometry, type Vec3, voxelCount } from '../volume/geometry.ts';
import type { Box } from '../volume/interpolate.ts';
import type { SegmentRule } from './decide.ts';
import { forEachRun } from './runs.ts';

/**
 * Normalised Shannon entropy, `-sum p log(p + 1e-8) / log C`, 0 sure .. 1 unsure: one value a voxel from the
 * probabilities `[class][voxel]` of all C >= 2 classes, background included.
 */
export function normalisedEntropy(probabilities: readonly ArrayLike<number>[]): Float32Array {
  if (probabilities.length < 2) throw new RangeError(`entropy needs 2 classes or more, not ${probabilities.length}`);
  const entropy = new Float32Array(probabilities[0]!.length);
  const scale = -1 / Math.log(probabilities.length);
  for (let n = 0; n < entropy.length; n++) {
    let sum = 0;
    for (const row of probabilities) sum += row[n]! * Math.log(row[n]! + 1e-8);
    entropy[n] = Math.min(1, Math.max(0, sum * scale));
  }
  return entropy;
}

/**
 * Mean uncertainty where the segments are and around them: over the non-zero labels dilated by `radiusMm` (a box).
 * Both arrays are `[slice, row, column]` on `geometry`. With no label at all it is the mean over voxels with `seen` = 1
 * (all, when absent), and 0 when there is none: never NaN.
 */
export function meanUncertainty(
  uncertainty: Float32Array,
  labels: Uint8Array,
  geometry: Geometry,
  radiusMm: number,
  seen?: Uint8Array,
): number {
  if (uncertainty.length !== voxelCount(geometry) || labels.length !== uncertainty.length)
    throw new RangeError(`${uncertainty.length} values and ${labels.length} labels for ${voxelCount(geometry)} voxels`);
  const boxes = [...boxesOf(labels, geometry.size).values()];
  if (boxes.length > 0) {
    const around = { uncertainty, labels, size: geometry.size, reach: reachOf(geometry, radiusMm) };
    return meanAround(around, boxes.reduce(unite), (label) => label > 0);
  }
  let sum = 0;
  let count = 0;
  for (let n = 0; n < uncertainty.length; n++) {
    if (seen !== undefined && seen[n] === 0) continue;
    sum += uncertainty[n]!;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/**
 * Mean uncertainty in and around each of the segments `numbers`, as {@link meanUncertainty} has it of them all; null for
 * one that the labels do not hold.
 */
export function uncertaintyBySegment(
  uncertainty: Float32Array,
  labels: Uint8Array,
  geometry: Geometry,
  radiusMm: number,
  numbers: readonly number[],
): (number | null)[] {
  const around = { uncertainty, labels, size: geometry.size, reach: reachOf(geometry, radiusMm) };
  const boxes = boxesOf(labels, geometry.size);
  return numbers.map((number) => {
    const box = boxes.get(number);
    return box ? meanAround(around, box, (label) => label === number) : null;
  });
}

interface Around {
  readonly uncertainty: Float32Array;
  readonly labels: Uint8Array;
  readonly size: Vec3;
  readonly reach: Vec3;
}

/** Over the labels of a kind, all of them in `box`, and what they reach. */
function meanAround({ uncertainty, labels, size, reach }: Around, box: Box, isOwn: (label: number) => boolean): number {
  // Only the box is dilated: with dozens of segments, whole volumes would take longer than the network.
  const { low, size: grown } = growBox(box, reach, size);
  const [columns, rows, slices] = grown;
  const own = Uint8Array.from({ length: 256 }, (_, label) => (isOwn(label) ? 1 : 0));
  const mask = new Uint8Array(columns * rows * slices);
  const startOf = (row: number): number =>
    low[0] + size[0] * (low[1] + (row % rows) + size[1] * (low[2] + Math.floor(row / rows)));
  for (let row = 0, n = 0; row < rows * slices; row++)
    for (let from = startOf(row), end = from + columns; from < end; from++) mask[n++] = own[labels[from]!]!;
  const dilated = dilate(mask, grown, reach);
  let sum = 0;
  let count = 0;
  for (let row = 0, n = 0; row < rows * slices; row++)
    for (let from = startOf(row), end = from + columns; from < end; from++)
      if (dilated[n++] !== 0) {
        sum += uncertainty[from]!;
        count++;
      }
  return sum / count;
}

/** Numbers of the expected segments of which the labels hold no voxel, in the order of the card. */
export function missingSegments(
  labels: Uint8Array,
  segments: readonly Pick<SegmentRule, 'number' | 'isExpected'>[],
): number[] {
  return segments
    .filter((segment) => segment.isExpected && !labels.includes(segment.number))
    .map(({ number }) => number);
}

/** A mask grown by `reach` voxels along each axis (a box), in place: where it is not 0 afterwards. */
export function dilate(mask: Uint8Array, size: Vec3, reach: Vec3): Uint8Array {
  const strides = [1, size[0], size[0] * size[1]] as const;
  for (const axis of [0, 1, 2] as const)
    if (reach[axis] > 0) growAxis(mask, size[axis] * strides[axis], strides[axis], Math.min(254, reach[axis]));
  return mask;
}

function reachOf({ spacingMm }: Geometry, radiusMm: number): Vec3 {
  const reach = (axis: 0 | 1 | 2): number => Math.round(radiusMm / spacingMm[axis]);
  return [reach(0), reach(1), reach(2)];
}

/** The box of every label that occurs. */
function boxesOf(labels: Uint8Array, [columns, rows]: Vec3): ReadonlyMap<number, Box> {
  const boxes = new Map<number, Box>();
  forEachRun(labels, columns, (label, start, end) => {
    const row = Math.floor(start / columns);
    const slice = Math.floor(row / rows);
    const at = (n: number): Vec3 => [n - row * columns, row - slice * rows, slice];
    const run = { low: at(start), high: at(end - 1) };
    const box = boxes.get(label);
    boxes.set(label, box ? unite(box, run) : run);
  });
  return boxes;
}

function unite(a: Box, b: Box): Box {
  const of = (pick: (x: number, y: number) => number, one: Vec3, other: Vec3): Vec3 => [
    pick(one[0], other[0]),
    pick(one[1], other[1]),
    pick(one[2], other[2]),
  ];
  return { low: of(Math.min, a.low, b.low), high: of(Math.max, a.high, b.high) };
}

/** A box grown by `reach` as far as the volume goes. */
function growBox({ low, high }: Box, reach: Vec3, size: Vec3): { readonly low: Vec3; readonly size: Vec3 } {
  const from = (axis: 0 | 1 | 2): number => Math.max(0, low[axis] - reach[axis]);
  const to = (axis: 0 | 1 | 2): number => Math.min(size[axis] - 1, high[axis] + reach[axis]);
  const count = (axis: 0 | 1 | 2): number => to(axis) - from(axis) + 1;
  return { low: [from(0), from(1), from(2)], size: [count(0), count(1), count(2)] };
}

/** What a voxel still reaches is carried from one to the next, once forwards and once back. */
function growAxis(mask: Uint8Array, block: number, stride: number, reach: number): void {
  for (let n = 0; n < mask.length; n++) if (mask[n] !== 0) mask[n] = reach + 1;
  for (let start = 0; start < mask.length; start += block) {
    for (let n = start + stride; n < start + block; n++) {
      const left = mask[n - stride]!;
      if (left > mask[n]! + 1) mask[n] = left - 1;
    }
    for (let n = start + block - stride - 1; n >= start; n--) {
      const left = mask[n + stride]!;
      if (left > mask[n]! + 1) mask[n] = left - 1;
    }
  }
}
