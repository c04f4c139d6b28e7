import { resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import { draftCardSchema } from '../registry/card.ts';
import { sampleTaskNames } from '../sample/task.ts';
import { seesWindows } from '../student/input.ts';
import { collaborationSettingsSchema } from '../uncol/settings.ts';
import {
  type FolderSource,
  generatorSplit,
  isGenerated,
  type TrainingSplit,
  testSplit,
  trainingSplit,
} from './data/sources.ts';

const phase = {
  steps: z.int().min(1),
  learningRate: z.number().positive(),
  /** Share of steps that learn from pairs pasted into each other (method: copy-paste within the labelled set). */
  copyPasteShare: z.number().min(0).max(1),
};

/**
 * What `uncol train` needs to make a model version, start to end: data by seed or of the site, schedule, and the card's
 * own texts.
 * Unknown keys are an error.
 */
export const recipeSchema = z.strictObject({
  schema: z.literal(1),
  /** What the generator makes, in the splits that it fills. */
  task: z.enum(sampleTaskNames),
  seed: z.int(),
  labelled: trainingSplit,
  validation: trainingSplit,
  /** Whole subjects measured at the end; never seen before. */
  test: testSplit,
  stage1: z.strictObject({
    ...phase,
    /** Slices or windows a step. */
    batch: z.int().min(2),
    validateEvery: z.int().min(1),
    /** Of a 2D model: turning and scaling of the slices beside the other variations; absent: none. */
    warping: z.strictObject({ rotationDegrees: z.number().min(0), scaleSd: z.number().min(0) }).optional(),
    /** Half of the labelled slices or windows are drawn by class, in every phase; for models of several small segments. */
    drawsByClass: z.boolean().optional(),
    /** Share of the labelled slices or windows that are random shapes with an empty truth, in every phase. */
    sceneShare: z.number().min(0).max(0.5).optional(),
    /** A second phase with a schedule of its own, from the best weights of the first, as they would be served (fp16). */
    refine: z.strictObject(phase).optional(),
    /** Whether the teacher's hidden maps and prompt-conditioned embeddings are distilled into the student. */
    isDistilled: z.boolean().optional(),
  }),
  /** Generalized teacher, a manifest below models/teachers; absent: the method without one. */
  teacher: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .optional(),
  /** Subjects of the generator whose truth is not looked at, for stage 2. */
  unlabelled: generatorSplit.optional(),
  /** Semi-supervised training from the best weights of stage 1; absent: none. Unnamed numbers of the method keep their defaults. */
  stage2: z
    .strictObject({
      ...collaborationSettingsSchema.omit({ totalSteps: true, learningRate: true, seed: true }).partial().shape,
      steps: z.int().min(1),
      learningRate: z.number().positive(),
      /** Slices or windows A, B, U_a and U_b of a step, each so many. */
      pairs: z.int().min(1),
      validateEvery: z.int().min(1),
    })
    .optional(),
  card: draftCardSchema,
});

export type Recipe = Readonly<z.infer<typeof recipeSchema>>;

const splitNames = ['labelled', 'validation', 'test'] as const;

/** The parts of a recipe's data. */
export type SplitName = (typeof splitNames)[number];

/**
 * A recipe from its JSON text.
 *
 * @throws AppError `recipe-invalid`: with every key that is wrong; also when a generated subject stands in two splits, a
 *   truth is mapped to a segment that the card does not have, or a key is of the other dimension.
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
  checkSeeds(recipe);
  checkSegments(recipe);
  checkDimension(recipe);
  checkScenes(recipe);
  return recipe;
}

function checkSeeds(recipe: Recipe): void {
  const splits = splitNames.map((split) => {
    const source = recipe[split];
    return [split, isGenerated(source) ? seedsOf(source.seeds) : []] as const;
  });
  const unlabelled = ['unlabelled', recipe.unlabelled ? seedsOf(recipe.unlabelled.seeds) : []] as const;
  const owner = new Map<number, string>();
  for (const [split, seeds] of [...splits, unlabelled, ['card.baseSet', recipe.card.baseSet.seeds] as const]) {
    for (const seed of seeds) {
      const other = owner.get(seed);
      if (other) throw new AppError('recipe-invalid', `Subject ${seed} stands in ${other} and in ${split}.`, { seed });
      owner.set(seed, split);
    }
  }
}

function checkSegments({ card, ...recipe }: Recipe): void {
  const numbers = new Set([0, ...card.segments.map(({ number }) => number)]);
  for (const split of splitNames) {
    const source = recipe[split];
    if (isGenerated(source)) continue;
    for (const [name, number] of Object.entries(source.segments ?? {})) {
      if (numbers.has(number)) continue;
      throw new AppError('recipe-invalid', `${split}.segments.${name}: the card has no segment ${number}.`, { number });
    }
  }
}

/** Subjects of a 2D model give slices to learn from and to choose by; those of a 3D model windows to learn from. */
function checkDimension({ card, stage1, ...recipe }: Recipe): void {
  const isVolume = seesWindows(card.input);
  const dimension = isVolume ? '3D' : '2D';
  for (const split of ['labelled', 'validation', 'unlabelled'] as const) {
    const source = recipe[split];
    if (!source) continue;
    const wanted = !isVolume ? 'slicesPerSubject' : split === 'validation' ? undefined : 'windowsPerSubject';
    for (const key of ['slicesPerSubject', 'windowsPerSubject'] as const) {
      if ((source[key] !== undefined) === (key === wanted)) continue;
      const fault = key === wanted ? 'is missing' : 'does not belong here';
      throw new AppError('recipe-invalid', `${split}.${key} ${fault}: the card is of a ${dimension} model.`);
    }
  }
  if (isVolume && stage1.warping)
    throw new AppError('recipe-invalid', 'stage1.warping does not belong here: windows of a 3D model are not warped.');
}

/** A picture that is drawn anew at every step was never shown to a teacher, so there is nothing of it to distil. */
function checkScenes({ stage1, stage2 }: Recipe): void {
  if (!stage1.sceneShare || !(stage1.isDistilled || stage2?.visualWeight)) return;
  throw new AppError(
    'recipe-invalid',
    'stage1.sceneShare does not go with stage1.isDistilled or stage2.visualWeight: no teacher has seen the scenes.',
  );
}

/** Slices or windows drawn of each subject of a split. */
export function portionOf({ slicesPerSubject, windowsPerSubject }: TrainingSplit): number {
  return slicesPerSubject ?? windowsPerSubject ?? 0;
}

/** The recipe with the folders of its cases made absolute: they stand relative to `folder`, where the recipe lies. */
export function resolveFolders(recipe: Recipe, folder: string): Recipe {
  return mapFolders(recipe, (source) => ({ ...source, path: resolve(folder, source.path) }));
}

/** The recipe as it may be kept beside a model: patients are numbered, not named. Twice is the same as once. */
export function withoutPatients(recipe: Recipe): Recipe {
  const numbers = new Map<string, number>();
  const numbered = (patient: string): string => {
    const number = numbers.get(patient) ?? numbers.size + 1;
    numbers.set(patient, number);
    return `patient ${number}`;
  };
  return mapFolders(recipe, (source) => ({
    ...source,
    cases: source.cases.map((one) => ({ ...one, patient: numbered(one.patient) })),
  }));
}

function mapFolders(recipe: Recipe, change: <T extends FolderSource>(source: T) => T): Recipe {
  const { labelled, validation, test } = recipe;
  return {
    ...recipe,
    labelled: labelled.kind === 'folder' ? change(labelled) : labelled,
    validation: validation.kind === 'folder' ? change(validation) : validation,
    test: test.kind === 'folder' ? change(test) : test,
  };
}

/** All seeds of an inclusive range. */
export function seedsOf(range: { readonly from: number; readonly to: number }): readonly number[] {
  return Array.from({ length: range.to - range.from + 1 }, (_, i) => range.from + i);
}
