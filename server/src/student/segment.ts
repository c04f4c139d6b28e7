import type { SegmentRule } from '../labelmap/decide.ts';
import type { Labelmap, Segment } from '../labelmap/labelmap.ts';
import { meanUncertainty, missingSegments, uncertaintyBySegment } from '../labelmap/uncertainty.ts';
import { resampleLabels } from '../volume/nearest.ts';
import type { Volume } from '../volume/volume.ts';
import { decideVolume } from './decide-volume.ts';
import { type Doubt, keepDoubt } from './doubt.ts';
import { type Familiar, imageTraits, strangeness } from './familiarity.ts';
import { askStudent, prepareInput, type StudentInput } from './input.ts';
import { type Predict, type PredictOptions, throwIfCancelled } from './predict.ts';
import type { PreparedVolume } from './prepare-volume.ts';
import { mapProbabilities } from './probability-map.ts';

/** What segmenting needs of a model card. */
export interface SegmentCard {
  readonly input: StudentInput;
  readonly segments: readonly (Segment & SegmentRule)[];
  /** What the images look like that the model was made for. */
  readonly familiar?: Familiar | undefined;
}

export interface SegmentOptions extends Omit<PredictOptions, 'onProgress'> {
  readonly onProgress?: (stage: 'resample' | 'segment' | 'decide', percent: number) => void;
  /** Hears where the network doubts, before the mask is decided. */
  readonly onDoubt?: (doubt: Doubt) => void;
  /** Hears of the mask once it is decided, while its uncertainty is still to be worked out. */
  readonly onLabelmap?: (labelmap: Labelmap) => void;
}

export interface SegmentedVolume {
  /** On the grid of the volume. */
  readonly labelmap: Labelmap;
  /** Numbers of the segments that stand in every fitting series (`isExpected`) and were not found. */
  readonly missingSegments: readonly number[];
  /** How far the image is from those that the model was made for, and at most should be; null where that cannot be told. */
  readonly strangeness: { readonly distance: number; readonly most: number } | null;
  /** Of the mask as a whole, 0 sure .. 1 unsure: 1 when an expected segment is missing or the image is strange, else `meanEntropy`. */
  readonly uncertainty: number;
  /** Mean normalised entropy in and around the segments, 0..1; with an empty mask, of all that the network saw. */
  readonly meanEntropy: number;
  /** Mean normalised entropy in and around each segment, in the order of the card: 1 for one in `missingSegments`, null for any other that was not found. */
  readonly uncertaintyBySegment: readonly (number | null)[];
  /** What was decided from, see {@link mapProbabilities}: before the rules of the card. */
  readonly probabilitiesOf: (slice: number) => readonly Float32Array[];
  /** Milliseconds of each stage: `resample`, `segment`, `decide`. */
  readonly timingsMs: Readonly<Record<string, number>>;
}

/** The mask is dilated this far before its uncertainty is averaged: the doubtful rim counts, plain air does not. */
const RIM_MM = 4;

/**
 * Segments a volume slice by slice or window by window, as the card says, and decides on the volume's own grid: class
 * probabilities are mapped back, not labels, so outlines are as smooth as the source allows. Slices and windows that
 * show nothing but air are background and never reach the network.
 *
 * Throws `series-no-contrast`, `job-cancelled` (at the next batch after `signal`), and `engine-failed` when the network
 * answers with a value that is not a number.
 */
export async function segmentVolume(
  volume: Volume,
  card: SegmentCard,
  predict: Predict,
  options: SegmentOptions,
): Promise<SegmentedVolume> {
  const { onProgress = () => {}, onDoubt = () => {}, onLabelmap = () => {} } = options;
  const timingsMs: Record<string, number> = {};
  let last = performance.now();
  const finish = (stage: 'resample' | 'segment' | 'decide'): void => {
    const now = performance.now();
    timingsMs[stage] = now - last;
    last = now;
    onProgress(stage, 100);
  };
  throwIfCancelled(options.signal);
  onProgress('resample', 0);
  const prepared = prepareInput(volume, card.input);
  const strange = card.familiar ? compareWith(card.familiar, prepared) : null;
  finish('resample');
  const answer = await askStudent(prepared, card.input, card.segments.length, predict, {
    ...options,
    onProgress: (percent) => onProgress('segment', percent),
  });
  finish('segment');
  throwIfCancelled(options.signal);
  onProgress('decide', 0);
  onDoubt(keepDoubt(answer.entropy, prepared.grid));
  const data = decideVolume(answer, prepared.grid, volume.geometry, card.segments);
  const labelmap = { data, geometry: volume.geometry, segments: card.segments };
  onLabelmap(labelmap);
  const onGrid = resampleLabels(data, volume.geometry, prepared.grid);
  const missing = missingSegments(data, card.segments);
  const numbers = card.segments.map(({ number }) => number);
  const bySegment = uncertaintyBySegment(answer.entropy, onGrid, prepared.grid, RIM_MM, numbers);
  const [only, ...others] = bySegment;
  const meanEntropy =
    others.length === 0 && typeof only === 'number'
      ? only
      : meanUncertainty(answer.entropy, onGrid, prepared.grid, RIM_MM, answer.seen);
  finish('decide');
  return {
    labelmap,
    missingSegments: missing,
    strangeness: strange,
    // A network that sees nothing it knows is sure of its background: the entropy would call an empty mask certain.
    uncertainty: missing.length > 0 || isStrange(strange) ? 1 : meanEntropy,
    meanEntropy,
    uncertaintyBySegment: bySegment.map((mean, at) => {
      const number = numbers[at] ?? 0;
      if (missing.includes(number)) return 1;
      // A segment of a few voxels may be none on the network's coarser grid.
      return mean ?? (data.includes(number) ? meanEntropy : null);
    }),
    probabilitiesOf: mapProbabilities(answer, prepared.grid, volume.geometry),
    timingsMs,
  };
}

/** Whether an image is too far from what the model was made for to rely on its mask. */
export function isStrange(strange: SegmentedVolume['strangeness']): boolean {
  return strange !== null && strange.distance > strange.most;
}

function compareWith(familiar: Familiar, prepared: PreparedVolume): SegmentedVolume['strangeness'] {
  const traits = imageTraits(prepared);
  return traits && { distance: strangeness(traits, familiar), most: familiar.most };
}
