import { z } from 'zod';
import { sampleTaskNames } from '../sample/task.ts';
import { traitNames } from '../student/familiarity.ts';

const code = z.strictObject({ value: z.string(), scheme: z.string(), meaning: z.string().max(64) });
const triple = z.tuple([z.number(), z.number(), z.number()]);

const segmentRow = z.strictObject({
  number: z.int().min(1).max(255),
  label: z.string().min(1).max(64),
  category: code,
  type: code,
  /** Of a paired structure: which side, or `both` in one segment. */
  laterality: z.enum(['left', 'right', 'both']).optional(),
  anatomicRegion: code.optional(),
  colour: triple,
  /** Keep only the largest 26-connected component of the volume. */
  largestComponent: z.boolean(),
  /** Components smaller than this are dropped. */
  minVolumeMl: z.number().min(0),
  /** Stands in every series that fits: a mask without it is not to be trusted. Absent: it may be missing, as a lesion may. */
  isExpected: z.boolean().optional(),
});

/**
 * What maps to 0 and 1, then clipped: percentiles of the non-constant voxels; or, for CT, numbers in HU, which depend
 * neither on how much air and bone lies in the field of view nor on padding.
 */
const intensity = z.union([
  z.strictObject({ lowPercentile: z.number(), highPercentile: z.number() }),
  z
    .strictObject({ lowHu: z.number(), highHu: z.number() })
    .refine(({ lowHu, highHu }) => lowHu < highHu, 'lowHu must be below highHu'),
]);

/** What a 2D network sees: slices of one plane. */
const sliceInput = z.strictObject({
  plane: z.enum(['axial', 'coronal', 'sagittal']),
  /** Grid on which the network works: [column, row, slice] mm in the plane's own axes. */
  spacingMm: triple,
  /** Network input, pixels [columns, rows]; multiples of 16. */
  sizePx: z.tuple([z.int(), z.int()]),
  intensity,
});

const windowSide = z.int().min(16).multipleOf(16);

/** What a 3D network sees: windows that slide over a grid along the patient's axes (columns to L, rows to P, slices to S). */
const windowInput = z.strictObject({
  /** [column, row, slice] mm. */
  spacingMm: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  /** Network input, voxels [columns, rows, slices]; multiples of 16. */
  windowVoxels: z.tuple([windowSide, windowSide, windowSide]),
  intensity,
});

const size = {
  /** Background included. */
  classes: z.int().min(2),
  inferenceParameters: z.int(),
};

/** Prob_UNet on slices. */
const sliceNetwork = z.strictObject({
  network: z.literal('prob-unet-2d'),
  variant: z.enum(['full', 'lite']),
  ...size,
});

/** Prob_VNet on windows. */
const windowNetwork = z.strictObject({
  network: z.literal('prob-vnet-3d'),
  variant: z.enum(['full', 'lite', 'tiny']),
  ...size,
});

const traits = z.array(z.number()).length(traitNames.length).readonly();

/** What the images of the labelled split look like (student/familiarity.ts). */
const familiar = z.strictObject({
  mean: traits,
  sd: z.array(z.number().positive()).length(traitNames.length).readonly(),
  precision: z
    .array(z.array(z.number()).readonly())
    .readonly()
    .refine((rows) => rows.length === traitNames.length && rows.every((row, n) => row.length === n + 1), 'a triangle'),
  most: z.number().positive(),
});

const fields = z.strictObject({
  schema: z.literal(1),
  name: z.string().regex(/^[a-z0-9-]{1,40}$/),
  version: z.int().min(1),
  title: z.string().max(64),
  /** One sentence for the panel: what it was trained for and on. */
  trainedFor: z.string().max(300),
  intendedUse: z.string(),
  limitations: z.array(z.string()),
  licence: z.string(),
  trainingData: z.array(z.strictObject({ source: z.string(), licence: z.string(), use: z.string() })),
  filter: z.strictObject({
    /** A series fits when its modality is listed. */
    modality: z.array(z.enum(['MR', 'CT', 'PT'])).min(1),
    /** Uncorrected series of other body parts (defined terms of PS3.16 annex L) teach nothing; when empty, all may. */
    bodyPart: z.array(z.string()).default([]),
  }),
  input: z.union([sliceInput, windowInput]),
  architecture: z.discriminatedUnion('network', [sliceNetwork, windowNetwork]),
  segments: z.array(segmentRow).min(1),
  /** Absent where the labelled split was too small to tell: then no image is called strange. */
  familiar: familiar.optional(),
  /** Subjects that decide every gate; never trained on. */
  baseSet: z.strictObject({ task: z.enum(sampleTaskNames), seeds: z.array(z.int()).min(1) }),
  /** What a candidate may lose at most against the version in service, set by set (round/compare.ts). */
  gate: z.strictObject({
    /** Of the mean Dice. */
    epsilon: z.number().min(0),
    /** Its interval on the base set may not reach further below 0. */
    margin: z.number().min(0).default(0.01),
    /** Of the mean Dice of any one segment. */
    segmentEpsilon: z.number().min(0).default(0.02),
    /** Of the 95th percentile Hausdorff distance, mm, median over subjects. */
    hausdorffMm: z.number().min(0).default(2),
  }),
  weights: z.strictObject({ file: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), tableHash: z.string() }),
  parent: z.strictObject({ version: z.int(), sha256: z.string() }).nullable(),
  /** How a round made this version; absent where `uncol train` made it: then the recipe tells. */
  lineage: z
    .strictObject({
      round: z.uuid(),
      corrections: z.int(),
      /** sha256 of the round's plan: series, corrections with the hashes of their masks, held-out patients, steps. */
      planSha256: z.string(),
      seed: z.int(),
      code: z.strictObject({ version: z.string(), commit: z.string().nullable() }),
    })
    .optional(),
  /** Free text of how this version came to be, e.g. that the generalized teacher abstained. */
  notes: z.array(z.string()),
  engine: z.string(),
});

const fits = ({ input, architecture }: Pick<z.infer<typeof fields>, 'input' | 'architecture'>): boolean =>
  'windowVoxels' in input === (architecture.network === 'prob-vnet-3d');
const misfit = {
  path: ['input'],
  error: 'a 2D network sees slices (plane, sizePx), a 3D network windows (windowVoxels)',
};

/** HU are of CT alone. */
const hasUnits = ({ input, filter }: Pick<z.infer<typeof fields>, 'input' | 'filter'>): boolean =>
  !('lowHu' in input.intensity) || filter.modality.every((modality) => modality === 'CT');
const unitsMissing = { path: ['input', 'intensity'], error: 'a window in HU needs CT to be the only modality' };

/** The model card, `models/<name>/<version>/card.json`: what a version is, what it fits, how its output is decided. */
export const cardSchema = fields.refine(fits, misfit).refine(hasUnits, unitsMissing);

/** What a recipe says of the card; the rest is known when the version is made. */
export const draftCardSchema = fields
  .omit({ weights: true, parent: true, engine: true, notes: true, familiar: true })
  .refine(fits, misfit)
  .refine(hasUnits, unitsMissing);

export type Card = z.infer<typeof cardSchema>;
/** The card of a 2D model. */
export type SliceCard = Omit<Card, 'input' | 'architecture'> & {
  readonly input: z.infer<typeof sliceInput>;
  readonly architecture: z.infer<typeof sliceNetwork>;
};

/** Whether a segment is of one side, by its laterality, label or codes: then left and right are not exchanged to learn more. */
export function namesSides(segments: Card['segments']): boolean {
  if (segments.some(({ laterality = 'both' }) => laterality !== 'both')) return true;
  const words = segments.flatMap(({ label, type, anatomicRegion }) => [label, type.meaning, anatomicRegion?.meaning]);
  return words.some((text) => text !== undefined && /\b(left|right)\b/i.test(text));
}

/** Whether a model is 2D. */
export function seesSlices<T extends Pick<Card, 'architecture'>>(
  card: T,
): card is T & Pick<SliceCard, 'input' | 'architecture'> {
  return card.architecture.network === 'prob-unet-2d';
}
