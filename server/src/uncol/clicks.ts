import type { Random } from '../engine/random.ts';
import { findComponents } from '../labelmap/components.ts';
import { normalisedEntropy } from '../labelmap/uncertainty.ts';
import type { ImageSize } from './inputs.ts';

/** A voxel that lies inside what is asked for; all three from 0. */
export interface Click {
  readonly slice: number;
  readonly row: number;
  readonly column: number;
}

/**
 * The prompts of a labelled volume: one click of each foreground class, drawn at random among the voxels of its segment.
 *
 * @param labels class indices, [D,H,W].
 * @returns of each foreground class, class 1 first: its click; none where it has no voxel.
 */
export function clicksInTruth(labels: Uint8Array, { classes, space }: ImageSize, random: Random): Click[][] {
  const voxels: number[][] = Array.from({ length: classes }, () => []);
  for (const [at, label] of labels.entries()) if (label > 0) voxels[label]?.push(at);
  return voxels.slice(1).map((ofClass) => {
    const drawn = ofClass[random.int(ofClass.length)];
    return drawn === undefined ? [] : [clickAt(drawn, space)];
  });
}

/**
 * The prompts of an unlabelled volume: of each foreground class the voxel of its largest component of which the
 * specialized teacher is surest, by the entropy (the first on ties).
 *
 * @param probabilities p_S, [C,D,H,W] float32.
 * @param labels what it decided, [D,H,W].
 * @returns of each foreground class, class 1 first: its click; none where it was not found.
 */
export function surestClicks(
  probabilities: Float32Array,
  labels: Uint8Array,
  { classes, space }: ImageSize,
): Click[][] {
  const [slices = 0, rows = 0, columns = 0] = space;
  const ofClass = (label: number) => probabilities.subarray(label * labels.length, (label + 1) * labels.length);
  const entropy = normalisedEntropy(Array.from({ length: classes }, (_, label) => ofClass(label)));
  return Array.from({ length: classes - 1 }, (_, index) => {
    const { runStart, runLength, runComponent, voxels } = findComponents(labels, [columns, rows, slices], index + 1);
    const largest = voxels.indexOf(voxels.reduce((most, count) => Math.max(most, count), 0));
    let surest = -1;
    for (const [run, start] of runStart.entries()) {
      if (runComponent[run] !== largest) continue;
      for (let at = start; at < start + runLength[run]!; at++)
        if (surest < 0 || entropy[at]! < entropy[surest]!) surest = at;
    }
    return surest < 0 ? [] : [clickAt(surest, space)];
  });
}

function clickAt(voxel: number, [, rows = 1, columns = 1]: ImageSize['space']): Click {
  const row = Math.floor(voxel / columns);
  return { slice: Math.floor(row / rows), row: row % rows, column: voxel % columns };
}
