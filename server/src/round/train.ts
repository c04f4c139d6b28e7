import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeVersionFiles } from '../candidate/write-version.ts';
import { engineName } from '../engine/choose.ts';
import type { Engine, ParameterTable, TrainingState } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import { fromHalf, initialise, initialState, toHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import type { SliceCard } from '../registry/card.ts';
import { studentOf } from '../student/architecture.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { pretrainingSettingsSchema } from '../uncol/settings.ts';
import { Pretraining } from '../uncol/stage-one.ts';
import { augment } from './augment.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { addStep, addValidation, type Curve, startCurve } from './curve.ts';
import { type DataAccess, type SplitSubject, Splits } from './data/splits.ts';
import { hashLearning, loadTrainingData, measureSeen, type TrainingData } from './data/training.ts';
import { Measure } from './measure.ts';
import { type Recipe, withoutPatients } from './recipe.ts';
import { writeTrainingReport } from './report/training.ts';

/** What a training run tells while it goes on. */
export type TrainEvent =
  | { readonly kind: 'data'; readonly split: string; readonly done: number; readonly all: number }
  | { readonly kind: 'note'; readonly text: string }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly terms: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: 'validation';
      readonly step: number;
      readonly student: number;
      readonly ema: number;
      readonly best: number;
    }
  | { readonly kind: 'test'; readonly subject: string; readonly dice: number };

/** Where a training writes, on what it runs, and where its data come from. */
export interface TrainOptions extends DataAccess {
  readonly folder: string;
  readonly engine: Engine;
  readonly onEvent?: (event: TrainEvent) => void;
}

/**
 * Trains a model version from a recipe and writes its folder: `card.json`, `student.weights.bin` (fp16), `recipe.json`,
 * `metrics.json`, `report.html`. A run that was stopped goes on from its checkpoint and ends with the same bits.
 *
 * @throws AppError `training-not-finite`: the checkpoint before it stays; `job-cancelled`: the signal was aborted;
 *   `recipe-invalid`: the folder holds the checkpoint of another recipe.
 */
export async function train(recipe: Recipe, options: TrainOptions): Promise<SliceCard> {
  const { folder, engine } = options;
  await mkdir(folder, { recursive: true });
  const { architecture, input } = recipe.card;
  const [width, height] = input.sizePx;
  const table = engine.table(studentOf(architecture).inferenceProgram(1, [height, width]));
  if (table.size !== architecture.inferenceParameters) {
    throw new AppError(
      'recipe-invalid',
      `The network has ${table.size} parameters, the card says ${architecture.inferenceParameters}.`,
    );
  }
  const onNote = (text: string) => options.onEvent?.({ kind: 'note', text });
  const splits = await Splits.open(recipe, { ...options, onNote });
  try {
    return await trainOn(splits, recipe, options, table);
  } finally {
    await splits.close();
  }
}

async function trainOn(
  splits: Splits,
  recipe: Recipe,
  options: TrainOptions,
  table: ParameterTable,
): Promise<SliceCard> {
  const { folder, engine } = options;
  const path = join(folder, checkpointName);
  const kept = await loadCheckpoint<Curve>(path, table.hash);
  // Before minutes of generating: here the recipe alone says whether the checkpoint is its own.
  if (splits.areGenerated) checkKept(kept, hashLearning(recipe, undefined), path);
  const data = await loadTrainingData(splits, (split, done, all) =>
    options.onEvent?.({ kind: 'data', split, done, all }),
  );
  const workSha256 = hashLearning(recipe, splits.areGenerated ? undefined : data);
  checkKept(kept, workSha256, path);
  let run: Run = kept
    ? { state: kept.state, best: kept.best, curve: startCurve(kept.extra) }
    : { state: initialState(initialise(table, recipe.seed)), best: undefined, curve: startCurve() };
  const measure = await Measure.create(engine, recipe.card);
  try {
    for (let phase = phaseOf(recipe, run.curve.phase); phase; phase = phaseOf(recipe, run.curve.phase)) {
      run = await runPhase(phase, run, { recipe, options, data, measure, workSha256 });
    }
    if (!run.best) throw new AppError('training-not-finite', 'No validation gave a number.');
    return await publish(recipe, options, { best: run.best, curve: run.curve, measure, data, splits });
  } finally {
    await measure.dispose();
  }
}

const checkpointName = 'checkpoint.bin';

function checkKept(kept: { readonly workSha256: string } | undefined, workSha256: string, path: string): void {
  if (!kept || kept.workSha256 === workSha256) return;
  throw new AppError(
    'recipe-invalid',
    `${path} belongs to another recipe: delete it to start anew, or choose another folder.`,
  );
}

/** Where a run stands; what its checkpoint holds. */
interface Run {
  readonly state: TrainingState;
  readonly best: Float32Array | undefined;
  readonly curve: Curve;
}

interface Phase {
  readonly steps: number;
  readonly learningRate: number;
  readonly copyPasteShare: number;
  /** Steps of the phases before. */
  readonly offset: number;
  readonly seed: number;
}

function phaseOf({ stage1, seed }: Recipe, index: number): Phase | undefined {
  const { steps, learningRate, copyPasteShare, refine } = stage1;
  if (index === 0) return { steps, learningRate, copyPasteShare, offset: 0, seed };
  return index === 1 && refine ? { ...refine, offset: steps, seed: seed + 1 } : undefined;
}

interface Surroundings {
  readonly recipe: Recipe;
  readonly options: TrainOptions;
  readonly data: TrainingData;
  readonly measure: Measure;
  readonly workSha256: string;
}

/** Runs a phase to its end, from wherever it was; the run it gives stands at the beginning of the next one. */
async function runPhase(phase: Phase, from: Run, surroundings: Surroundings): Promise<Run> {
  const { recipe, options, data, measure, workSha256 } = surroundings;
  const { card, stage1 } = recipe;
  const { steps, learningRate, copyPasteShare, offset, seed } = phase;
  const [width, height] = card.input.sizePx;
  const student = studentOf(card.architecture);
  const settings = pretrainingSettingsSchema.parse({ totalSteps: steps, learningRate, copyPasteShare, seed });
  const shape = { batch: stage1.batch, height, width, maps: null };
  const stage = await Pretraining.create(options.engine, student, settings, shape, from.state);
  let { best, curve } = from;
  /** Step of the checkpoint on the disk. */
  let kept = curve.validation.at(-1)?.step;
  try {
    for (let step = from.state.step; step < steps; ) {
      if (options.signal?.aborted)
        throw new AppError('job-cancelled', `Stopped after step ${offset + step}; the same command goes on.`);
      const done = await stage.step(drawBatch(data.pool, stage1, width, seed, step)).catch((error: unknown) => {
        throw tellCheckpoint(error, kept);
      });
      step = done.step;
      const all = stage1.steps + (stage1.refine?.steps ?? 0);
      curve = addStep(curve, { ...done, step: offset + step }, all);
      options.onEvent?.({ kind: 'step', step: offset + step, steps: all, loss: done.loss, terms: done.terms });
      if (step % stage1.validateEvery !== 0 && step !== steps) continue;
      const state = await stage.state();
      const student = await meanDice(measure, state.student, data.validation);
      const ema = await meanDice(measure, state.ema, data.validation);
      const validated = addValidation(curve, { step: offset + step, student, ema });
      if (validated.improved) best = student >= ema ? state.student : state.ema;
      curve = validated.curve;
      options.onEvent?.({ kind: 'validation', step: offset + step, student, ema, best: curve.bestScore });
      const checkpoint = { workSha256, state, ...(best ? { best } : {}), extra: curve };
      const path = join(options.folder, checkpointName);
      await saveCheckpoint(path, measure.tableHash, checkpoint).catch((error: unknown) => {
        throw tellCheckpoint(error, kept);
      });
      kept = offset + step;
    }
    const state = best ? initialState(fromHalf(toHalf(best))) : await stage.state();
    return { state, best, curve: { ...curve, phase: curve.phase + 1 } };
  } finally {
    await stage.dispose();
  }
}

function drawBatch(
  pool: readonly LabelledSlice[],
  { batch, warping }: Recipe['stage1'],
  width: number,
  seed: number,
  step: number,
): LabelledSlice[] {
  const random = Random.for(seed, 'batch', step);
  return Array.from({ length: batch }, () => {
    const slice = pool[random.int(pool.length)];
    if (!slice) throw new AppError('recipe-invalid', 'The labelled split holds no slice.');
    return augment(slice, width, random, warping);
  });
}

/** A run that left the numbers says from where it can go on. */
function tellCheckpoint(error: unknown, step: number | undefined): unknown {
  if (!(error instanceof AppError) || error.code !== 'training-not-finite') return error;
  const kept = step === undefined ? 'There is no checkpoint yet' : `The checkpoint of step ${step} stays`;
  return new AppError(error.code, `${error.message}. ${kept}.`, error.detail, { cause: error });
}

async function meanDice(measure: Measure, weights: Float32Array, subjects: readonly SplitSubject[]): Promise<number> {
  let sum = 0;
  for (const subject of subjects) sum += await measure.dice(weights, subject.slices);
  return sum / subjects.length;
}

interface Trained {
  readonly best: Float32Array;
  readonly curve: Curve;
  readonly measure: Measure;
  readonly data: TrainingData;
  readonly splits: Splits;
}

/** Measures what will be served, the weights after rounding to fp16, and writes the folder; the card comes last. */
async function publish(
  recipe: Recipe,
  { folder, engine, onEvent }: TrainOptions,
  trained: Trained,
): Promise<SliceCard> {
  const { measure, data, splits } = trained;
  const served = fromHalf(toHalf(trained.best));
  const test: { subject: string; dice: number }[] = [];
  for await (const { name, slices } of splits.test()) {
    const row = { subject: name, dice: await measure.servedDice(served, slices) };
    test.push(row);
    onEvent?.({ kind: 'test', ...row });
  }
  const seen = await measureSeen(measure, served, data);
  const { bestScore, bestStep, bestSource, validation, losses } = trained.curve;
  const card = await writeVersionFiles(folder, {
    card: {
      ...recipe.card,
      parent: null,
      notes: [
        'Stage 1 of UnCoL, supervised part: four heads, copy-paste within the labelled set, EMA.',
        'The generalized teacher abstained: no visual or semantic distillation.',
        `Chosen on validation subjects: ${bestSource} of step ${bestStep}, Dice ${bestScore.toFixed(3)}.`,
      ],
      engine: engineName(engine),
    },
    weights: trained.best,
    tableHash: measure.tableHash,
    recipe: withoutPatients(recipe),
    metrics: { test, seen, best: { score: bestScore, step: bestStep, source: bestSource }, validation, losses },
  });
  await writeTrainingReport(folder, {
    card,
    curve: trained.curve,
    subjects: [...test.map((row) => ({ split: 'test' as const, ...row })), ...seen],
    labelled: data.labelledSubjects,
    phases: recipe.stage1.refine ? [{ x: recipe.stage1.steps, label: 'refining' }] : [],
  });
  return card;
}
