import { type Geometry, type Vec3, voxelCount } from '../volume/geometry.ts';
import type { Box } from '../volume/interpolate.ts';
import type { SegmentRule } from './decide.ts';
import { RunReader } from './runs.ts';

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
  const startOf = (row: number): number =>
    low[0] + size[0] * (low[1] + (row % rows) + size[1] * (low[2] + Math.floor(row / rows)));
  const mask = createMask(grown);
  for (let row = 0; row < rows * slices; row++) {
    const [from, to] = [startOf(row), row * mask.width];
    for (let i = 0; i < columns; i++) mask.data[to + i] = own[labels[from + i]!]!;
  }
  dilate(mask, reach);
  let sum = 0;
  let count = 0;
  for (let row = 0; row < rows * slices; row++) {
    const [from, at] = [startOf(row), row * mask.width];
    for (let i = 0; i < columns; i++)
      if (mask.data[at + i] !== 0) {
        sum += uncertainty[from + i]!;
        count++;
      }
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

/** What is marked in a box, `[slice, row, column]`, 0 or 1. */
export interface Mask {
  readonly size: Vec3;
  /** Bytes of a row, whole words: those beyond its columns tell nothing. */
  readonly width: number;
  readonly data: Uint8Array;
}

export function createMask(size: Vec3): Mask {
  const width = 4 * Math.ceil(size[0] / 4);
  return { size, width, data: new Uint8Array(width * size[1] * size[2]) };
}

/** Grows a mask by `reach` voxels along each axis (a box), in place. */
export function dilate({ size: [columns, rows, slices], width, data }: Mask, reach: Vec3): void {
  for (let start = 0; start < data.length; start += width) widenRow(data, start, start + columns, reach[0]);
  // Rows and slices move as a whole: four voxels a word.
  const words = new Uint32Array(data.buffer);
  const row = width / 4;
  for (let k = 0; k < slices; k++) uniteLines(words.subarray(k * rows * row, (k + 1) * rows * row), row, reach[1]);
  uniteLines(words, rows * row, reach[2]);
}

/** Each marked voxel of a row marks those up to `reach` before and behind it. */
function widenRow(data: Uint8Array, start: number, end: number, reach: number): void {
  if (reach === 0) return;
  for (let n = start; n < end; ) {
    if (data[n] === 0) {
      n++;
      continue;
    }
    data.fill(1, Math.max(start, n - reach), n);
    while (n < end && data[n] !== 0) n++;
    // As far as the next voxel that was marked before: it has a reach of its own.
    for (const last = Math.min(end, n + reach); n < last && data[n] === 0; n++) data[n] = 1;
  }
}

/** Each line of `length` words gets the marks of those up to `reach` lines before and behind it. */
function uniteLines(words: Uint32Array, length: number, reach: number): void {
  const marked = words.slice();
  for (let shift = length; shift <= reach * length && shift < words.length; shift += length)
    for (let n = 0, m = shift; m < words.length; n++, m++) {
      words[n]! |= marked[m]!;
      words[m]! |= marked[n]!;
    }
}

function reachOf({ spacingMm }: Geometry, radiusMm: number): Vec3 {
  const reach = (axis: 0 | 1 | 2): number => Math.round(radiusMm / spacingMm[axis]);
  return [reach(0), reach(1), reach(2)];
}

/** The box of every label that occurs. */
function boxesOf(labels: Uint8Array, [columns, rows]: Vec3): ReadonlyMap<number, Box> {
  const faces = new Map<number, { low: [number, number, number]; high: [number, number, number] }>();
  for (const runs = new RunReader(labels, columns); runs.next(); ) {
    const row = Math.floor(runs.start / columns);
    const slice = Math.floor(row / rows);
    const first = runs.start - row * columns;
    const j = row - slice * rows;
    const last = first + runs.end - runs.start - 1;
    const own = faces.get(runs.label);
    if (own === undefined) {
      faces.set(runs.label, { low: [first, j, slice], high: [last, j, slice] });
      continue;
    }
    const { low, high } = own;
    low[0] = Math.min(low[0], first);
    high[0] = Math.max(high[0], last);
    low[1] = Math.min(low[1], j);
    high[1] = Math.max(high[1], j);
    // Slices come in their order.
    high[2] = slice;
  }
  return faces;
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
