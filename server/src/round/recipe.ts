import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import { sliceCardSchema } from '../registry/card.ts';
import { sampleTaskNames } from '../sample/task.ts';

/** An inclusive range of generator seeds. */
const seedRange = z
  .strictObject({ from: z.int().min(0), to: z.int().min(0) })
  .refine((range) => range.from <= range.to, 'from must not exceed to');

const subjects = z.strictObject({
  seeds: seedRange,
  /** `wide`: scanners, poses, planes and fields of view of every kind; `sample`: moderate. */
  variation: z.enum(['sample', 'wide']),
  /** Slices kept of each subject, drawn by seed; foreground slices are preferred four to one. */
  slicesPerSubject: z.int().min(1),
});

const phase = {
  steps: z.int().min(1),
  learningRate: z.number().positive(),
  /** Share of steps that learn from pairs pasted into each other (method: copy-paste within the labelled set). */
  copyPasteShare: z.number().min(0).max(1),
};

/**
 * What `uncol train` needs to make a model version, start to end: data by seed, schedule, and the card's own texts.
 * Unknown keys are an error.
 */
export const recipeSchema = z.strictObject({
  schema: z.literal(1),
  task: z.enum(sampleTaskNames),
  seed: z.int(),
  labelled: subjects,
  validation: subjects,
  /** Whole subjects measured at the end; never seen before. */
  test: z.strictObject({ seeds: seedRange }),
  stage1: z.strictObject({
    ...phase,
    /** Slices a step. */
    batch: z.int().min(2),
    validateEvery: z.int().min(1),
    /** Turning and scaling of the slices beside the other variations; absent: none. */
    warping: z.strictObject({ rotationDegrees: z.number().min(0), scaleSd: z.number().min(0) }).optional(),
    /** A second phase with a schedule of its own, from the best weights of the first, as they would be served (fp16). */
    refine: z.strictObject(phase).optional(),
  }),
  card: sliceCardSchema.omit({ weights: true, parent: true, engine: true, notes: true }),
});

export type Recipe = Readonly<z.infer<typeof recipeSchema>>;
export type SubjectChoice = Recipe['labelled'];

/**
 * A recipe from its JSON text.
 *
 * @throws AppError `recipe-invalid`: with every key that is wrong; also when a subject stands in two splits.
 */
export function parseRecipe(text: string): Recipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError('recipe-invalid', 'The recipe is not JSON.', {}, { cause });
  }
  const parsed = recipeSchema.safeParse(json);
  if (!parsed.success) throw new AppError('recipe-invalid', z.prettifyError(parsed.error));
  const recipe = parsed.data;
  const base = recipe.card.baseSet.seeds;
  const splits = [
    ['labelled', seedsOf(recipe.labelled.seeds)],
    ['validation', seedsOf(recipe.validation.seeds)],
    ['test', seedsOf(recipe.test.seeds)],
    ['card.baseSet', base],
  ] as const;
  const owner = new Map<number, string>();
  for (const [split, seeds] of splits) {
    for (const seed of seeds) {
      const other = owner.get(seed);
      if (other) throw new AppError('recipe-invalid', `Subject ${seed} stands in ${other} and in ${split}.`, { seed });
      owner.set(seed, split);
    }
  }
  return recipe;
}

/** All seeds of an inclusive range. */
export function seedsOf(range: { readonly from: number; readonly to: number }): readonly number[] {
  return Array.from({ length: range.to - range.from + 1 }, (_, i) => range.from + i);
}
