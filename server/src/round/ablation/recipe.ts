import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { sampleTaskNames } from '../../sample/task.ts';
import { armNames } from './arms.ts';

const seeds = z.array(z.int().min(0)).min(1);
const stage = { steps: z.int().min(1), learningRate: z.number().positive() };
const stage1Schema = z.strictObject({
  ...stage,
  batch: z.int().min(2),
  /** As in the recipe of a training: rare structures are drawn as often as large ones. */
  drawsByClass: z.boolean().optional(),
});
const stage2Schema = z.strictObject({ ...stage, pairs: z.int().min(1), validateEvery: z.int().min(1) });

/** What `uncol ablate` does. Unknown keys are an error. */
export const ablationRecipeSchema = z.strictObject({
  schema: z.literal(1),
  /** Name of the generalized teacher. */
  teacher: z.string(),
  variant: z.enum(['full', 'lite']),
  /** Grid of the student: square slices of `sizePx` pixels of `spacingMm`, axial. */
  sizePx: z.int().min(16).multipleOf(16),
  spacingMm: z.number().positive(),
  /** Of the head that is still told apart from what is brighter; a bright lesion is lost at 99. */
  highPercentile: z.number().gt(50).max(100),
  /** Of labelled slices beside copy-paste: `mild` is mirroring, shifts, contrast and noise, `warped` turns and scales, too. */
  augmentation: z.enum(['none', 'mild', 'warped']),
  /** Small networks that learn for few steps do better without. */
  dropout: z.boolean(),
  tasks: z
    .array(
      z.strictObject({
        task: z.enum(sampleTaskNames),
        /** Of its rows and charts; the task's where a recipe has it once. */
        name: z
          .string()
          .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
          .optional(),
        arms: z.array(z.enum(armNames)).min(1),
        /** In each run these subjects are labelled, the others of `training` unlabelled; `seed` of weights and draws. */
        runs: z.array(z.strictObject({ labelled: seeds, seed: z.int().min(0) })).min(1),
        training: seeds,
        validation: seeds,
        test: seeds,
        /** Slices of a training subject. */
        slicesPerSubject: z.int().min(1),
        /** In place of the recipe's. */
        stage1: stage1Schema.optional(),
        stage2: stage2Schema.optional(),
      }),
    )
    .min(1),
  stage1: stage1Schema,
  stage2: stage2Schema,
});

export type AblationRecipe = Readonly<z.infer<typeof ablationRecipeSchema>>;
export type AblationTask = AblationRecipe['tasks'][number];
/** Both stages as one task has them. */
export type AblationSchedule = Pick<AblationRecipe, 'stage1' | 'stage2'>;

/** What rows of a task are told by. */
export function nameOf({ task, name }: Pick<AblationTask, 'task' | 'name'>): string {
  return name ?? task;
}

/** The task's own schedule, else the recipe's. */
export function scheduleOf({ stage1, stage2 }: AblationSchedule, task: AblationTask): AblationSchedule {
  return { stage1: task.stage1 ?? stage1, stage2: task.stage2 ?? stage2 };
}

/**
 * @throws AppError `recipe-invalid`: unknown or wrong keys; two tasks of one name; a subject in two splits; a labelled one
 *   that is no training one.
 */
export function parseAblation(text: string): AblationRecipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError('recipe-invalid', 'The recipe is not JSON.', {}, { cause });
  }
  const parsed = ablationRecipeSchema.safeParse(json);
  if (!parsed.success) throw new AppError('recipe-invalid', z.prettifyError(parsed.error));
  const names = parsed.data.tasks.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new AppError('recipe-invalid', `Two tasks are called ${twice}: give one another "name".`);
  for (const { runs, training, validation, test, ...task } of parsed.data.tasks) {
    const name = nameOf(task);
    const owner = new Map<number, string>();
    for (const [split, members] of [
      ['training', training],
      ['validation', validation],
      ['test', test],
    ] as const) {
      for (const seed of members) {
        const other = owner.get(seed);
        if (other) throw new AppError('recipe-invalid', `${name}: subject ${seed} stands in ${other} and in ${split}.`);
        owner.set(seed, split);
      }
    }
    const stray = runs.flatMap(({ labelled }) => labelled).find((seed) => !training.includes(seed));
    if (stray !== undefined)
      throw new AppError('recipe-invalid', `${name}: labelled subject ${stray} is not in training.`);
  }
  return parsed.data;
}
