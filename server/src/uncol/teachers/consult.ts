import type { Arrays } from '../../engine/ops.ts';
import { stack } from '../inputs.ts';
import { promptBoxes } from '../prompts.ts';
import { askWithPrompts, type GeneralizedTeacher, type Opinion } from './generalized.ts';
import type { SpecializedTeacher } from './specialized.ts';

/** Sizes of a slice; classes with the background. */
export interface SliceSize {
  readonly classes: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Asks both teachers about unlabelled slices: the specialized one first, the generalized one with boxes round what the
 * first found.
 *
 * @param ema weights of the specialized teacher.
 * @param unlabelled slices [H,W] float32, as many as the specialized teacher was created for.
 * @param margin growth of the boxes, share of the frame's side.
 * @returns the inputs `unlabelled`, `specialized`, `generalized` and `generalizedUncertainty` of stage 2.
 */
export async function consultTeachers(
  specializedTeacher: SpecializedTeacher,
  generalizedTeacher: GeneralizedTeacher,
  ema: Float32Array,
  unlabelled: readonly Float32Array[],
  size: SliceSize,
  margin: number,
): Promise<Arrays> {
  const pixels = size.height * size.width;
  const perSlice = size.classes * pixels;
  const specialized = await specializedTeacher.ask(ema, unlabelled);
  const opinions: Opinion[] = [];
  for (const [index, image] of unlabelled.entries()) {
    const boxes = promptBoxes(specialized.subarray(index * perSlice, (index + 1) * perSlice), size, margin);
    opinions.push(await askWithPrompts(generalizedTeacher, { ...size, image, boxes }));
  }
  return {
    unlabelled: stack(unlabelled, pixels),
    specialized,
    generalized: stack(
      opinions.map((opinion) => opinion.probabilities),
      perSlice,
    ),
    generalizedUncertainty: stack(
      opinions.map((opinion) => opinion.uncertainty),
      pixels,
    ),
  };
}
