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
  const reach = (axis: 0 | 1 | 2): number => Math.round(radiusMm / geometry.spacingMm[axis]);
  const isLabelled = labels.some((label) => label > 0);
  const mask = isLabelled ? dilate(labels, geometry.size, [reach(0), reach(1), reach(2)]) : seen;
  let sum = 0;
  let count = 0;
  for (let n = 0; n < uncertainty.length; n++) {
    if (mask !== undefined && mask[n] === 0) continue;
    sum += uncertainty[n]!;
    count++;
  }
  return count === 0 ? 0 : sum / count;
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
