import { Random } from '../engine/random.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { ImageSize } from '../uncol/inputs.ts';
import { promptsOfTruth } from '../uncol/prompts.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import type { TaughtSlice } from './augment.ts';

/**
 * Gives labelled slices what the generalized teacher sees in them: hidden maps, and embeddings prompted with the
 * reader's own label. Slices come back as they are when the teacher shows nothing.
 *
 * @param margin growth of the boxes, share of the frame's side.
 */
export async function showToTeacher(
  slices: readonly LabelledSlice[],
  { features }: GeneralizedTeacher,
  size: ImageSize,
  margin: number,
): Promise<readonly TaughtSlice[]> {
  if (!features) return slices;
  const { space } = size;
  const rule = { margin: Array.from({ length: size.classes - 1 }, () => margin), components: 1 };
  const taught: TaughtSlice[] = [];
  for (const slice of slices) {
    const frame = { image: slice.image, space };
    const visual = await features.hidden(frame);
    const prompts = promptsOfTruth(slice.label, size, rule, Random.for(taught.length, 'taught'));
    const semantic = await features.semantic({ ...frame, prompts });
    taught.push({ ...slice, kept: { visual, semantic } });
  }
  return taught;
}
