import { boxesOf, type SliceSize } from '../uncol/prompts.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import type { TaughtSlice } from './augment.ts';

/**
 * Gives labelled slices what the generalized teacher sees in them: hidden maps, and embeddings prompted with boxes round
 * the reader's own label. Slices come back as they are when the teacher shows nothing.
 *
 * @param margin growth of the boxes, share of the frame's side.
 */
export async function showToTeacher<Slice extends TaughtSlice>(
  slices: readonly Slice[],
  { features }: GeneralizedTeacher,
  size: SliceSize,
  margin: number,
  onSlice: (done: number, all: number) => void = () => {},
): Promise<readonly (Slice & TaughtSlice)[]> {
  if (!features) return slices;
  const { height, width } = size;
  const rule = { margin: Array.from({ length: size.classes - 1 }, () => margin), components: 1 };
  const taught: (Slice & TaughtSlice)[] = [];
  for (const slice of slices) {
    const frame = { image: slice.image, height, width };
    const visual = await features.hidden(frame);
    const semantic = await features.semantic({ ...frame, boxes: boxesOf(slice.label, size, rule) });
    taught.push({ ...slice, kept: { visual, semantic } });
    onSlice(taught.length, slices.length);
  }
  return taught;
}
