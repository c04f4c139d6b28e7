import { z } from 'zod';

const seriesRef = z.strictObject({
  studyInstanceUid: z.string(),
  seriesInstanceUid: z.string(),
  /** Of a series with several volumes the one; else empty. */
  volume: z.string().default(''),
});

/** Everything a round works on, fixed before it starts: a round that is started again does the same work. */
const correction = seriesRef.extend({
  correctionId: z.uuid(),
  /** Blob of the gzip envelope. */
  labelmapSha256: z.string(),
  /** Slice ids. */
  approvedSlices: z.array(z.string()),
});

export const roundPlanSchema = z.strictObject({
  roundId: z.uuid(),
  model: z.strictObject({ name: z.string(), fromVersion: z.int(), toVersion: z.int() }),
  /** Of this round alone. The same data, history and seed give the same round, whatever its identifiers. */
  seed: z.int(),
  steps: z.int().min(1),
  /** With true where no round has learnt from it before. */
  corrections: z.array(correction.extend({ isNew: z.boolean() })).min(1),
  /** Of patients who never train, one series each, the newest: they judge, where there are enough of them. */
  heldOut: z.array(correction).default([]),
  unlabelled: z.array(seriesRef),
  /** Of a 3D model windows. */
  unlabelledSlices: z.int().min(0),
  /** Name of the generalized teacher, or `none`. */
  teacher: z.string().default('none'),
});

export type RoundPlan = Readonly<z.infer<typeof roundPlanSchema>>;
/** A correction as a plan names it. */
export type PlannedCorrection = RoundPlan['heldOut'][number];

/** Learning numbers of a round. */
export const roundSettings = {
  /** A-B-U-U quadruples a step: of slices, of windows. */
  pairs: 2,
  windowPairs: 1,
  learningRate: 1e-3,
  /** Corrections of a round at most: those that no round has used, and others. */
  newCorrections: 24,
  usedCorrections: 24,
  /** Of corrected series so many count as unlabelled, too, where nobody vouched for a part. */
  openCorrections: 12,
  /** Labelled pieces taken of one corrected study, those with foreground first, and of all in a round. */
  slices: { ofOne: 40, ofAll: 600 },
  windows: { ofOne: 16, ofAll: 200 },
  warping: { rotationDegrees: 10, scaleSd: 0.08 },
  /** Share of the slices or windows drawn that hold foreground; the others teach what is none. */
  foregroundShare: 0.5,
  /** Subjects of the recipe replayed. */
  replaySubjects: 5,
  replaySlicesPerSubject: 32,
  replayWindowsPerSubject: 12,
  /** In 2D whole subjects are measured on every n-th known slice of the card's grid, whether it holds something or not ... */
  everyJudgedSlice: 3,
  /** ... or on more of them, to leave so many. */
  fewestJudged: 8,
  /**
   * Subjects that candidates are chosen by, drawn anew for each round from these seeds of the generator. The gate has others:
   * what was chosen on a set looks better there than it is.
   */
  choice: { seeds: { from: 40_000, to: 49_999 }, subjects: 6 },
  /** A round learns from each corrected slice or window about so often, as far as the setting `roundSteps` lets it ... */
  timesSeen: 50,
  /** ... and takes this many steps at least. */
  fewestSteps: 60,
  /** Evaluations of each way of learning: at least so many, and one in so many steps. */
  evaluations: { atLeast: 2, everySteps: 50 },
  /** A way of learning ends when so many evaluations in a row brought nothing better. */
  patience: 2,
} as const;

/** Pieces taken at most of one of so many corrected studies. */
export function mostOf({ ofOne, ofAll }: { readonly ofOne: number; readonly ofAll: number }, among: number): number {
  return Math.min(ofOne, Math.ceil(ofAll / among));
}

/**
 * Steps of a round, scaled to what there is to learn from.
 *
 * @param pieces corrected slices or windows.
 * @param perStep of them that a step draws.
 * @param most the setting `roundSteps`.
 */
export function stepsFor(pieces: number, perStep: number, most: number): number {
  const wanted = Math.ceil((roundSettings.timesSeen * pieces) / perStep);
  return Math.min(most, Math.max(roundSettings.fewestSteps, wanted));
}
