import { z } from 'zod';

const seriesRef = z.strictObject({ studyInstanceUid: z.string(), seriesInstanceUid: z.string() });

/** Everything a round works on, fixed before it starts: a round that is started again does the same work. */
export const roundPlanSchema = z.strictObject({
  roundId: z.uuid(),
  model: z.strictObject({ name: z.string(), fromVersion: z.int(), toVersion: z.int() }),
  seed: z.int(),
  steps: z.int().min(1),
  corrections: z
    .array(
      seriesRef.extend({
        correctionId: z.uuid(),
        /** Blob of the gzip envelope. */
        labelmapSha256: z.string(),
        /** SOP Instance UIDs. */
        approvedSlices: z.array(z.string()),
        /** True when no round has learnt from it before. */
        isNew: z.boolean(),
      }),
    )
    .min(1),
  unlabelled: z.array(seriesRef),
  /** Of a 3D model windows. */
  unlabelledSlices: z.int().min(0),
  /** Name of the generalized teacher, or `none`. */
  teacher: z.string().default('none'),
});

export type RoundPlan = Readonly<z.infer<typeof roundPlanSchema>>;
export type PlannedCorrection = RoundPlan['corrections'][number];

/** Learning numbers of a round. */
export const roundSettings = {
  /** A-B-U-U quadruples a step: of slices, of windows. */
  pairs: 2,
  windowPairs: 1,
  learningRate: 1e-3,
  /** Labelled slices taken of one corrected study, those with foreground first. */
  slicesPerCorrection: 40,
  windowsPerCorrection: 16,
  warping: { rotationDegrees: 10, scaleSd: 0.08 },
  /** Share of the slices or windows drawn that hold foreground; the others teach what is none. */
  foregroundShare: 0.5,
  /** Subjects of the recipe replayed. */
  replaySubjects: 5,
  replaySlicesPerSubject: 32,
  replayWindowsPerSubject: 12,
  /** In 2D base subjects are measured on every n-th slice of the card's grid, wherever they hold something or not. */
  everyBaseSlice: 3,
  /** Evaluations besides step 0. */
  evaluations: 2,
} as const;
