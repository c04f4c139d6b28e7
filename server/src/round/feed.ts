import type { Shape } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';
import { type Card, namesSides } from '../registry/card.ts';
import { seesWindows } from '../student/input.ts';
import type { PreparedVolume } from '../student/prepare-volume.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { CollaborationSettings } from '../uncol/settings.ts';
import { noWarping, type TaughtSlice, type Warping } from './augment.ts';
import type { Portion } from './draw.ts';
import type { LabelledVolume } from './labelled-volume.ts';
import { sliceFeed } from './slice-feed.ts';
import { windowFeed } from './window-feed.ts';

/** What is drawn from a subject. */
export interface Drawn {
  /** Slices or windows to learn from. */
  readonly pieces: readonly LabelledSlice[];
  /** What the student is measured on where it may have seen the subject: in 2D the same slices, in 3D the whole volume. */
  readonly judged: LabelledVolume;
}

/** What the version in service finds: class indices, `[slice, row, column]`. */
export type Find = (volume: PreparedVolume) => Promise<Uint8Array>;

/** How a student is fed: with slices of volumes, or with windows. All that training and rounds know of the difference. */
export interface Feed {
  /** Of a piece: [H,W] or [D,H,W]. */
  readonly space: Shape;
  /** Numbers of stage 2 that differ: where left and right are not exchanged, no mirror image gates. */
  readonly method: Partial<CollaborationSettings>;
  /** A-B-U-U quadruples a step of a round. */
  readonly pairs: number;
  /** Draws from a subject of a recipe; copies, so that the rest of it can be freed. */
  draw(subject: LabelledVolume, portion: Portion, random: Random): Drawn;
  /** A piece as another day would have shown it. */
  augment(piece: TaughtSlice, random: Random): LabelledSlice;
  /**
   * Draws what a round learns from a corrected volume: only what readers vouched for.
   *
   * @param among corrected volumes of the round: from each of many less is drawn.
   */
  drawCorrected(volume: LabelledVolume, among: number, random: Random): Drawn;
  /** Draws what a round replays of a subject. */
  drawReplay(subject: LabelledVolume, random: Random): readonly LabelledSlice[];
  /** Whether a volume shows anything that nobody vouched for. */
  isOpen(volume: LabelledVolume): boolean;
  /** Draws images of what nobody vouched for, a share of them where the version in service finds something. */
  drawOpen(volume: LabelledVolume, find: Find, count: number, random: Random): Promise<readonly Float32Array[]>;
  /** What of a subject that never trains is measured. */
  judgedWhole(subject: LabelledVolume): LabelledVolume;
}

/**
 * The feed of a model.
 *
 * @param warping of slices; windows are not warped.
 */
export function feedOf({ input, segments }: Pick<Card, 'input' | 'segments'>, warping: Warping = noWarping): Feed {
  const mirrors = !namesSides(segments);
  return seesWindows(input) ? windowFeed(input, mirrors) : sliceFeed(input, mirrors, warping);
}
