import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../engine/ops.ts';
import { AppError } from '../../errors/app-error.ts';
import type { Colin27 } from '../../sample/colin27.ts';
import { sampleTasks } from '../../sample/task.ts';
import { studentOf } from '../../student/architecture.ts';
import { holdsContent, type PlaneInput } from '../../student/prepare.ts';
import type { GeneralizedTeacher } from '../../uncol/teachers/generalized.ts';
import { hashWork, writeDurably } from '../checkpoint.ts';
import { evenly, hasForeground } from '../draw.ts';
import { type LabelledVolume, slicesOf, stackSlices } from '../labelled-volume.ts';
import { Measure, type MeasuredCard } from '../measure.ts';
import { prepareSubject } from '../subjects.ts';
import { type Arm, type ArmName, arms } from './arms.ts';
import { type ArmResult, Block, type BlockData } from './block.ts';
import { type AblationRecipe, type AblationTask, nameOf, scheduleOf } from './recipe.ts';
import { withoutTransformer } from './without-transformer.ts';

/** One arm, one labelled set, one seed. */
export interface AblationRow {
  /** Name of the task in the recipe. */
  readonly task: string;
  readonly arm: ArmName;
  /** Labelled subjects, joined by `+`. */
  readonly labelled: string;
  readonly seed: number;
  /** Which subjects, sizes and schedules: rows of different setups say nothing of each other. */
  readonly setup: string;
  readonly dice: number;
  readonly diceByClass: readonly number[];
  readonly diceEma: number;
  readonly diceValidated: number;
  readonly pseudoDice: number | null;
  readonly ignored: number | null;
  readonly keptBandError: number | null;
  readonly ignoredBandError: number | null;
  readonly admitted: readonly boolean[] | null;
  readonly stepMs: number | null;
}

export interface AblationOptions {
  /** Rows are added to `rows.jsonl` here; those that it holds are not run again. Other recipes may share it. */
  readonly folder: string;
  readonly colin: Colin27;
  readonly engine: Engine;
  readonly teacher: GeneralizedTeacher;
  readonly onRow?: (row: AblationRow, done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

const slicesPerJudged = 18;

/**
 * Runs every arm of a recipe on every labelled set. A run that was stopped goes on after its last row.
 *
 * @throws AppError `job-cancelled`: the signal was aborted.
 */
export async function ablate(recipe: AblationRecipe, options: AblationOptions): Promise<readonly AblationRow[]> {
  const { folder, onRow, signal } = options;
  await mkdir(folder, { recursive: true });
  const kept = await readRows(folder);
  const rows: AblationRow[] = [];
  const jobs = jobsOf(recipe);
  const all = jobs.reduce((sum, { task }) => sum + task.arms.length, 0);
  for (const job of jobs) {
    const { task, labelled, run } = job;
    const { seed } = run;
    const done = rowsOf(job, kept);
    rows.push(...done);
    const open = task.arms.filter((arm) => !done.some((row) => row.arm === arm));
    if (open.length === 0) continue;
    const data = gather(recipe, task, labelled, options.colin);
    const network = studentOf({
      network: 'prob-unet-2d',
      variant: recipe.variant,
      classes: sampleTasks[task.task] + 1,
    });
    const whole = recipe.dropout ? network : { ...network, dropout: network.dropout.map(() => 0) };
    // Students without a branch have a stage 1 of their own, so a block of their own.
    for (const isWhole of [true, false]) {
      const wanted = open.filter((arm) => hasTransformer(arm) === isWhole);
      if (wanted.length === 0) continue;
      const student = isWhole ? whole : withoutTransformer(whole);
      const measure = await Measure.create(options.engine, cardOf(recipe, student.classes), student);
      try {
        const block = new Block(data, {
          ...options,
          student,
          recipe,
          schedule: scheduleOf(recipe, task),
          measure,
          seed,
        });
        for (const arm of wanted) {
          if (signal?.aborted) throw new AppError('job-cancelled', 'Stopped; the same command goes on.');
          const row = rowOf({ ...run, arm }, await block.run(arm));
          rows.push(row);
          await appendFile(join(folder, 'rows.jsonl'), `${JSON.stringify(row)}\n`);
          onRow?.(row, rows.length, all);
        }
      } finally {
        await measure.dispose();
      }
    }
  }
  return rows;
}

/** The rows of a recipe that a folder holds, in the recipe's order, whichever call of {@link ablate} made them. */
export async function keptRows(recipe: AblationRecipe, folder: string): Promise<readonly AblationRow[]> {
  const kept = await readRows(folder);
  return jobsOf(recipe).flatMap((job) => rowsOf(job, kept));
}

/** One labelled set of one task, and what its rows are told by. */
function jobsOf(recipe: AblationRecipe) {
  return recipe.tasks.flatMap((task) => {
    const setup = setupOf(recipe, task);
    return task.runs.map(({ labelled, seed }) => {
      return { task, labelled, run: { task: nameOf(task), labelled: labelled.join('+'), seed, setup } };
    });
  });
}

function rowsOf(
  { task, run }: ReturnType<typeof jobsOf>[number],
  rows: readonly AblationRow[],
): readonly AblationRow[] {
  const isOfRun = (row: AblationRow) => Object.entries(run).every(([key, value]) => Reflect.get(row, key) === value);
  return task.arms.flatMap((arm) => rows.find((row) => row.arm === arm && isOfRun(row)) ?? []);
}

function hasTransformer(name: ArmName): boolean {
  const arm: Arm = arms[name];
  return arm.isWithoutTransformer !== true;
}

function rowOf(
  key: Pick<AblationRow, 'task' | 'arm' | 'labelled' | 'seed' | 'setup'>,
  { pseudo, ...result }: ArmResult,
): AblationRow {
  return {
    ...key,
    ...result,
    pseudoDice: pseudo?.dice ?? null,
    ignored: pseudo?.ignored ?? null,
    keptBandError: numberOrNull(pseudo?.keptBandError),
    ignoredBandError: numberOrNull(pseudo?.ignoredBandError),
  };
}

/** JSON knows no NaN. */
function numberOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** Hash of all that a row depends on beside its arm, its labelled subjects and its seed. */
function setupOf(recipe: AblationRecipe, task: AblationTask): string {
  const { tasks: _, ...common } = recipe;
  const { training, validation, test, slicesPerSubject } = task;
  const work = { ...common, ...scheduleOf(recipe, task), training, validation, test, slicesPerSubject };
  return hashWork(work).slice(0, 12);
}

/** Whole lines only: the last one may have been cut by a crash. */
async function readRows(folder: string): Promise<AblationRow[]> {
  const text = await readFile(join(folder, 'rows.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  await writeDurably(join(folder, 'rows.jsonl'), [Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
  return lines.map((line) => JSON.parse(line) as AblationRow);
}

function inputOf({ sizePx, spacingMm, highPercentile }: AblationRecipe): PlaneInput {
  return {
    plane: 'axial',
    spacingMm: [spacingMm, spacingMm, spacingMm],
    sizePx: [sizePx, sizePx],
    intensity: { lowPercentile: 1, highPercentile },
  };
}

function cardOf(recipe: AblationRecipe, classes: number): MeasuredCard {
  const architecture = { network: 'prob-unet-2d', variant: recipe.variant, classes } as const;
  return { input: inputOf(recipe), architecture, segments: [] };
}

function gather(recipe: AblationRecipe, task: AblationTask, labelled: readonly number[], colin: Colin27): BlockData {
  const input = inputOf(recipe);
  const some = (seed: number, count: number): LabelledVolume => {
    const subject = prepareSubject(colin, task.task, 'sample', seed, input);
    const shown = slicesOf(subject).filter((slice) => hasForeground(slice) || holdsContent(slice.image, recipe.sizePx));
    const filled = evenly(shown.filter(hasForeground), Math.ceil(0.75 * count));
    const empty = shown.filter((slice) => !hasForeground(slice));
    return stackSlices([...filled, ...evenly(empty, count - filled.length)], subject.grid);
  };
  const training = (seed: number) => slicesOf(some(seed, task.slicesPerSubject));
  return {
    labelled: labelled.flatMap(training),
    unlabelled: task.training.filter((seed) => !labelled.includes(seed)).flatMap(training),
    validation: task.validation.map((seed) => some(seed, slicesPerJudged)),
    test: task.test.map((seed) => some(seed, slicesPerJudged)),
  };
}
