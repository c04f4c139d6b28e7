import type { Arrays } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import type { Student } from '../student/architecture.ts';
import type { SliceMaps } from './distill.ts';
import { drawDropout, type StudentBatch } from './dropout.ts';
import { stack } from './inputs.ts';
import { drawMixMask } from './mix.ts';

/** A slice, or a window of a volume, with the reader's label; all three [space...], row-major. */
export interface LabelledSlice {
  readonly image: Float32Array;
  /** Class index. */
  readonly label: Uint8Array;
  /** 1 where the reader vouched for the label, 0 elsewhere. */
  readonly known: Uint8Array;
  /** What the generalized teacher sees in it; where something is distilled. */
  readonly maps?: SliceMaps;
}

/** Labelled slices as the inputs `images`, `labels`, `known` [N,1,space...]. */
export function labelledArrays(slices: readonly LabelledSlice[], pixels: number): Arrays {
  return {
    images: stack(
      slices.map((slice) => slice.image),
      pixels,
    ),
    labels: stack(
      slices.map((slice) => slice.label),
      pixels,
    ),
    known: stack(
      slices.map((slice) => slice.known),
      pixels,
    ),
  };
}

/** The teacher's maps of slices that have them. @throws RangeError naming the first that has none. */
export function mapsOf(slices: readonly LabelledSlice[]): SliceMaps[] {
  return slices.map(({ maps }, at) => {
    if (!maps) throw new RangeError(`slice ${at} has no maps of the generalized teacher`);
    return maps;
  });
}

/**
 * All that is random in one step: the copy-paste mask and the dropout masks. A function of seed, stage and step.
 * With `copyPasteShare` below 1 the other steps get a mask of 0, which leaves the pasted slices as they are.
 */
export function randomArrays(
  settings: { readonly seed: number; readonly boxSide: number; readonly copyPasteShare?: number },
  stage: 'pretraining' | 'collaboration',
  step: number,
  student: Student,
  batch: StudentBatch,
): Arrays {
  const random = Random.for(settings.seed, stage, step);
  const isPasted = random.next() < (settings.copyPasteShare ?? 1);
  const mask = drawMixMask(random, batch.space, settings.boxSide);
  return {
    mask: isPasted ? mask : mask.fill(0),
    ...drawDropout(random, student, batch),
  };
}
