import type { LabelledSlice } from '../../uncol/feed.ts';
import { hashWork } from '../checkpoint.ts';
import type { Measure } from '../measure.ts';
import type { Recipe } from '../recipe.ts';
import type { SubjectDice } from '../report/training.ts';
import { hashSlices } from './case.ts';
import { isGenerated } from './sources.ts';
import type { SplitSubject, Splits } from './splits.ts';

/** Of so many labelled subjects the Dice is told beside that of the others. */
const measuredLabelled = 12;

/** What is learnt from, and what decides. */
export interface TrainingData {
  readonly pool: readonly LabelledSlice[];
  /** A few of the subjects of the pool, and how many there are. */
  readonly labelled: readonly SplitSubject[];
  readonly labelledSubjects: number;
  readonly validation: readonly SplitSubject[];
  /** [H,W] float32. */
  readonly unlabelled: readonly Float32Array[];
}

/** Reads the splits that a training sees, and looks for the third. @throws AppError those of {@link Splits.load} */
export async function loadTrainingData(
  splits: Splits,
  onSubject: (split: string, done: number, all: number) => void,
): Promise<TrainingData> {
  await splits.lookForTest();
  const labelled = await splits.load('labelled', (done, all) => onSubject('labelled', done, all));
  return {
    pool: labelled.flatMap(({ slices }) => slices),
    labelled: labelled.slice(0, measuredLabelled),
    labelledSubjects: labelled.length,
    validation: await splits.load('validation', (done, all) => onSubject('validation', done, all)),
    unlabelled: splits.loadUnlabelled((done, all) => onSubject('unlabelled', done, all)),
  };
}

/**
 * Hash of all that the weights depend on: texts of the card may change without a new training. Generated data are known
 * by their seeds; those of a site by their voxels, so `site` is given where a split is not generated.
 */
export function hashLearning(recipe: Recipe, site: TrainingData | undefined): string {
  const { task, seed, stage1, stage2, teacher, unlabelled, card } = recipe;
  const { input, architecture } = card;
  const labelled = isGenerated(recipe.labelled) ? recipe.labelled : {};
  const validation = isGenerated(recipe.validation) ? recipe.validation : {};
  const work = { task, seed, labelled, validation, unlabelled, teacher, stage1, stage2, input, architecture };
  if (!site) return hashWork(work);
  return hashWork({ ...work, data: hashSlices([...site.pool, ...site.validation.flatMap(({ slices }) => slices)]) });
}

/** Dice of subjects that the training has seen, on the slices that it saw. @param weights canonical float32 vector. */
export async function measureSeen(
  measure: Measure,
  weights: Float32Array,
  data: TrainingData,
): Promise<readonly SubjectDice[]> {
  const seen: SubjectDice[] = [];
  for (const split of ['labelled', 'validation'] as const) {
    for (const { name, slices } of data[split]) {
      seen.push({ split, subject: name, dice: await measure.dice(weights, slices) });
    }
  }
  return seen;
}
