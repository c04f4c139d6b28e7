import { type Geometry, type Vec3, voxelCount } from '../volume/geometry.ts';
import type { SegmentRule } from './decide.ts';

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
  const isLabelled = labels.some((label) => label > 0);
  const mask = isLabelled ? dilate(labels, geometry.size, reachOf(geometry, radiusMm)) : seen;
  let sum = 0;
  let count = 0;
  for (let n = 0; n < uncertainty.length; n++) {
    if (mask !== undefined && mask[n] === 0) continue;
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
  const reach = reachOf(geometry, radiusMm);
  const boxes = boxesOf(labels, geometry.size);
  return numbers.map((number) => {
    const found = boxes.get(number);
    if (!found) return null;
    // Only the box of the segment is dilated: with dozens of segments, whole volumes would take longer than the network.
    const places = placesIn(found, reach, geometry.size);
    const own = new Uint8Array(places.indices.length);
    for (let n = 0; n < own.length; n++) own[n] = labels[places.indices[n]!] === number ? 1 : 0;
    const mask = dilate(own, places.size, reach);
    let sum = 0;
    let count = 0;
    for (let n = 0; n < mask.length; n++) {
      if (mask[n] === 0) continue;
      sum += uncertainty[places.indices[n]!]!;
      count++;
    }
    return sum / count;
  });
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

/** Non-zero labels grown by `reach` voxels along each axis (a box), as a new mask of 0 and 1. */
export function dilate(labels: Uint8Array, size: Vec3, reach: Vec3): Uint8Array {
  let mask: Uint8Array = labels.map((label) => (label > 0 ? 1 : 0));
  const strides = [1, size[0], size[0] * size[1]] as const;
  for (const axis of [0, 1, 2] as const)
    if (reach[axis] > 0) mask = growAxis(mask, size[axis], strides[axis], reach[axis]);
  return mask;
}

function reachOf({ spacingMm }: Geometry, radiusMm: number): Vec3 {
  const reach = (axis: 0 | 1 | 2): number => Math.round(radiusMm / spacingMm[axis]);
  return [reach(0), reach(1), reach(2)];
}

/** First and last index along each axis. */
interface Box {
  readonly low: [number, number, number];
  readonly high: [number, number, number];
}

/** The box of every label that occurs. */
function boxesOf(labels: Uint8Array, size: Vec3): ReadonlyMap<number, Box> {
  const boxes = new Map<number, Box>();
  let n = 0;
  for (let slice = 0; slice < size[2]; slice++)
    for (let row = 0; row < size[1]; row++)
      for (let column = 0; column < size[0]; column++) {
        const label = labels[n++]!;
        if (label === 0) continue;
        const box = boxes.get(label);
        if (box) widen(box, column, row, slice);
        else boxes.set(label, { low: [column, row, slice], high: [column, row, slice] });
      }
  return boxes;
}

function widen({ low, high }: Box, column: number, row: number, slice: number): void {
  low[0] = Math.min(low[0], column);
  low[1] = Math.min(low[1], row);
  high[0] = Math.max(high[0], column);
  high[1] = Math.max(high[1], row);
  high[2] = slice;
}

/** Indices of the voxels of a box that has grown by `reach` as far as the volume goes, in the order of the volume. */
function placesIn({ low, high }: Box, reach: Vec3, size: Vec3): { readonly indices: Uint32Array; readonly size: Vec3 } {
  const from = (axis: 0 | 1 | 2): number => Math.max(0, low[axis] - reach[axis]);
  const to = (axis: 0 | 1 | 2): number => Math.min(size[axis] - 1, high[axis] + reach[axis]);
  const grown: Vec3 = [to(0) - from(0) + 1, to(1) - from(1) + 1, to(2) - from(2) + 1];
  const indices = new Uint32Array(grown[0] * grown[1] * grown[2]);
  let n = 0;
  for (let slice = from(2); slice <= to(2); slice++)
    for (let row = from(1); row <= to(1); row++)
      for (let column = from(0); column <= to(0); column++) indices[n++] = column + size[0] * (row + size[1] * slice);
  return { indices, size: grown };
}

function growAxis(mask: Uint8Array, count: number, stride: number, reach: number): Uint8Array {
  const grown = new Uint8Array(mask.length);
  for (let n = 0; n < mask.length; n++) {
    if (mask[n] === 0) continue;
    const at = Math.floor(n / stride) % count;
    const low = Math.max(-reach, -at);
    const high = Math.min(reach, count - 1 - at);
    for (let d = low; d <= high; d++) grown[n + d * stride] = 1;
  }
  return grown;
}
