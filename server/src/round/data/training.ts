import { namesSides } from '../../registry/card.ts';
import type { LabelledSlice } from '../../uncol/feed.ts';
import { hashWork } from '../checkpoint.ts';
import { type LabelledVolume, slicesOf } from '../labelled-volume.ts';
import type { Measure } from '../measure.ts';
import type { Recipe } from '../recipe.ts';
import type { SubjectDice } from '../report/training.ts';
import { hashSlices } from './case.ts';
import { isGenerated } from './sources.ts';
import type { Splits } from './splits.ts';

/** Of so many labelled subjects the Dice is told beside that of the others. */
const measuredLabelled = 12;

/** What is learnt from, and what decides. */
export interface TrainingData {
  /** Slices or windows. */
  readonly pool: readonly LabelledSlice[];
  /** A few of the subjects of the pool, and how many there are. */
  readonly labelled: readonly JudgedSubject[];
  readonly labelledSubjects: number;
  /** What the images of the pool look like. */
  readonly looks: readonly (readonly number[])[];
  readonly validation: readonly JudgedSubject[];
  /** [space...] float32. */
  readonly unlabelled: readonly Float32Array[];
}

/** A subject that the training sees, and what of it is measured. */
export interface JudgedSubject {
  /** Without PHI. */
  readonly name: string;
  readonly judged: LabelledVolume;
}

/** Reads the splits that a training sees, and looks for the third. @throws AppError those of {@link Splits.draw} */
export async function loadTrainingData(
  splits: Splits,
  onSubject: (split: string, done: number, all: number) => void,
): Promise<TrainingData> {
  await splits.lookForTest();
  const draw = (split: Parameters<Splits['draw']>[0]) => splits.draw(split, (done, all) => onSubject(split, done, all));
  const pool: LabelledSlice[] = [];
  const labelled: JudgedSubject[] = [];
  let labelledSubjects = 0;
  const allLooks: (readonly number[])[] = [];
  for await (const { name, pieces, judged, looks } of draw('labelled')) {
    pool.push(...pieces);
    allLooks.push(...looks);
    labelledSubjects += 1;
    // The others are let go: a volume may be large.
    if (labelled.length < measuredLabelled) labelled.push({ name, judged });
  }
  const validation: JudgedSubject[] = [];
  for await (const { name, judged } of draw('validation')) validation.push({ name, judged });
  const unlabelled: Float32Array[] = [];
  for await (const { pieces } of draw('unlabelled')) unlabelled.push(...pieces.map(({ image }) => image));
  return { pool, labelled, labelledSubjects, looks: allLooks, validation, unlabelled };
}

/**
 * Hash of all that the weights depend on: texts of the card may change without a new training. Generated data are known
 * by their seeds; those of a site by their voxels, so `site` is given where a split is not generated.
 */
export function hashLearning(recipe: Recipe, site: TrainingData | undefined): string {
  const { task, seed, stage1, stage2, teacher, unlabelled, card } = recipe;
  const { input, architecture } = card;
  // Of the card's texts these alone tell on the weights.
  const sides = namesSides(card.segments) || undefined;
  const labelled = isGenerated(recipe.labelled) ? recipe.labelled : {};
  const validation = isGenerated(recipe.validation) ? recipe.validation : {};
  const work = { task, seed, labelled, validation, unlabelled, teacher, stage1, stage2, input, architecture, sides };
  if (!site) return hashWork(work);
  return hashWork({
    ...work,
    data: hashSlices([...site.pool, ...site.validation.flatMap(({ judged }) => slicesOf(judged))]),
  });
}

/** Dice of subjects that the training has seen; in 2D on the slices that it saw. @param weights canonical float32 vector. */
export async function measureSeen(
  measure: Measure,
  weights: Float32Array,
  data: TrainingData,
): Promise<readonly SubjectDice[]> {
  const seen: SubjectDice[] = [];
  for (const split of ['labelled', 'validation'] as const) {
    for (const { name, judged } of data[split]) {
      seen.push({ split, subject: name, dice: await measure.dice(weights, judged) });
    }
  }
  return seen;
}
