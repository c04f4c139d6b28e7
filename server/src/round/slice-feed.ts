import { sampleSpace } from '../student/input.ts';
import { holdsContent, type PlaneInput } from '../student/prepare.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { augment, type Warping } from './augment.ts';
import { drawSlices, evenly, hasForeground, shuffle } from './draw.ts';
import type { Feed } from './feed.ts';
import { slicesOf, stackSlices } from './labelled-volume.ts';
import { mostOf, roundSettings } from './plan.ts';

/**
 * The feed of a 2D student.
 *
 * @param mirrors whether left and right may be exchanged.
 */
export function sliceFeed(input: PlaneInput, mirrors: boolean, warping: Warping): Feed {
  const showsContent = ({ image }: LabelledSlice) => holdsContent(image, input.sizePx[0]);
  /** Air is never shown to a network, so a round need not learn it. */
  const isWorthLearning = (slice: LabelledSlice) => hasForeground(slice) || showsContent(slice);
  const isOpen = (slice: LabelledSlice) => !slice.known.includes(1) && showsContent(slice);
  return {
    space: sampleSpace(input),
    method: mirrors ? {} : { sliceGate: 0 },
    pairs: roundSettings.pairs,
    draw(subject, portion, random) {
      const judged = stackSlices(drawSlices(subject, portion, random), subject.grid);
      return { pieces: slicesOf(judged), judged };
    },
    augment: (piece, random) => augment(piece, input.sizePx[0], random, warping, mirrors),
    drawCorrected(volume, among, random) {
      const known = slicesOf(volume).filter((slice) => slice.known.includes(1) && isWorthLearning(slice));
      const filled = shuffle(known.filter(hasForeground), random);
      const empty = shuffle(
        known.filter((slice) => !hasForeground(slice)),
        random,
      );
      const judged = stackSlices(chooseBoth(filled, empty, mostOf(roundSettings.slices, among)), volume.grid);
      return { pieces: slicesOf(judged), judged };
    },
    drawReplay(subject) {
      const slices = slicesOf(subject).filter(isWorthLearning);
      const [filled, empty] = [slices.filter(hasForeground), slices.filter((slice) => !hasForeground(slice))];
      const count = roundSettings.replaySlicesPerSubject;
      const some = evenly(filled, Math.ceil(count * roundSettings.foregroundShare));
      return [...some, ...evenly(empty, count - some.length)];
    },
    isOpen: (volume) => slicesOf(volume).some(isOpen),
    async drawOpen(volume, find, count, random) {
      // Enough to choose from, and a bound on what a long series costs.
      const some = shuffle(slicesOf(volume).filter(isOpen), random).slice(0, 4 * count);
      const stack = stackSlices(some, volume.grid);
      const seen = slicesOf({ ...stack, label: await find(stack), known: stack.known.fill(1) });
      const empty = seen.filter((slice) => !hasForeground(slice));
      return chooseBoth(seen.filter(hasForeground), empty, count).map(({ image }) => image);
    },
    judgedWhole(subject) {
      const known = slicesOf(subject).filter((slice) => slice.known.includes(1));
      const { everyJudgedSlice, fewestJudged } = roundSettings;
      const every = Math.min(everyJudgedSlice, Math.max(1, Math.floor(known.length / fewestJudged)));
      const slices = known.filter((_, k) => k % every === Math.floor(every / 2));
      const [column, row, slice] = subject.grid.spacingMm;
      return stackSlices(slices, { size: subject.grid.size, spacingMm: [column, row, every * slice] });
    },
  };
}

/** So many slices, the first ones of each kind: a share of them with foreground, more where there are too few without. */
function chooseBoth<T>(filled: readonly T[], empty: readonly T[], count: number): readonly T[] {
  const first = filled.slice(0, Math.max(Math.ceil(count * roundSettings.foregroundShare), count - empty.length));
  return [...first, ...empty.slice(0, count - first.length)];
}
