import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeVersionFiles } from '../candidate/write-version.ts';
import { engineName } from '../engine/choose.ts';
import type { Engine, ParameterTable, TrainingState } from '../engine/ops.ts';
import { fromHalf, pickParameters, toHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import { type Card, seesSlices } from '../registry/card.ts';
import { studentOf } from '../student/architecture.ts';
import { sampleSpace } from '../student/input.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { addStep, addValidation, type Curve, startCurve } from './curve.ts';
import { familiarOf } from './data/looks.ts';
import { type DataAccess, Splits } from './data/splits.ts';
import { hashLearning, type JudgedSubject, loadTrainingData, measureSeen, type TrainingData } from './data/training.ts';
import { Measure } from './measure.ts';
import { openPhase, type Phase, phasesOf } from './phases.ts';
import { type Recipe, withoutPatients } from './recipe.ts';
import { writeTrainingReport } from './report/training.ts';
import { describeSpread, measureTest, spreadBySegment } from './test-subjects.ts';

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
  /** Opens the generalized teacher that a recipe names, for slices or for volumes. */
  readonly openTeacher?: (name: string, dimension: 2 | 3) => Promise<GeneralizedTeacher>;
  readonly onEvent?: (event: TrainEvent) => void;
}

/**
 * Trains a model version from a recipe and writes its folder: `card.json`, `student.weights.bin` (fp16), `recipe.json`,
 * `metrics.json`, `report.html`. A run that was stopped goes on from its checkpoint and ends with the same bits.
 *
 * @throws AppError `training-not-finite`: the checkpoint before it stays; `job-cancelled`: the signal was aborted;
 *   `recipe-invalid`: the folder holds the checkpoint of another recipe.
 */
export async function train(recipe: Recipe, options: TrainOptions): Promise<Card> {
  const { folder, engine } = options;
  await mkdir(folder, { recursive: true });
  const { architecture, input } = recipe.card;
  const table = engine.table(studentOf(architecture).inferenceProgram(1, sampleSpace(input)));
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

async function trainOn(splits: Splits, recipe: Recipe, options: TrainOptions, table: ParameterTable): Promise<Card> {
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
  let run: Run = { start: kept?.state, best: kept?.best, curve: startCurve(kept?.extra) };
  const measure = await Measure.create(engine, recipe.card);
  const teacher = await openTeacher(recipe, options);
  try {
    const phases = phasesOf(recipe);
    for (let phase = phases[run.curve.phase]; phase; phase = phases[run.curve.phase]) {
      run = await runPhase(phase, run, { recipe, options, data, measure, table, teacher, workSha256 });
    }
    if (!run.best) throw new AppError('training-not-finite', 'No validation gave a number.');
    return await publish(recipe, options, { best: run.best, curve: run.curve, measure, data, splits, teacher });
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

async function openTeacher({ teacher, card }: Recipe, options: TrainOptions): Promise<GeneralizedTeacher | null> {
  if (teacher === undefined) return null;
  if (!options.openTeacher) throw new AppError('recipe-invalid', `No way to open the teacher ${teacher} is set up.`);
  return options.openTeacher(teacher, seesSlices(card) ? 2 : 3);
}

/** Where a run stands; what its checkpoint holds. */
interface Run {
  /** In the middle of a phase its state; between two phases the weights that the next one begins with. */
  readonly start: TrainingState | Float32Array | undefined;
  /** Of the student as it is served. */
  readonly best: Float32Array | undefined;
  readonly curve: Curve;
}

interface Surroundings {
  readonly recipe: Recipe;
  readonly options: TrainOptions;
  readonly data: TrainingData;
  readonly measure: Measure;
  /** Of the served student. */
  readonly table: ParameterTable;
  readonly teacher: GeneralizedTeacher | null;
  readonly workSha256: string;
}

/** Runs a phase to its end, from wherever it was; the run it gives stands at the beginning of the next one. */
async function runPhase(phase: Phase, from: Run, surroundings: Surroundings): Promise<Run> {
  const { recipe, options, data, measure, table, teacher, workSha256 } = surroundings;
  const { steps, offset } = phase;
  const all = phasesOf(recipe).reduce((sum, one) => sum + one.steps, 0);
  let { best, curve } = from;
  const stage = await openPhase(phase, { ...options, recipe, data, teacher }, from.start, curve.calibration);
  if (stage.calibration) curve = { ...curve, calibration: stage.calibration };
  const served = (vector: Float32Array) => pickParameters(vector, stage.table, table);
  /** Step of the checkpoint on the disk. */
  let kept = curve.validation.at(-1)?.step;
  try {
    for (let step = isState(from.start) ? from.start.step : 0; step < steps; ) {
      if (options.signal?.aborted)
        throw new AppError('job-cancelled', `Stopped after step ${offset + step}; the same command goes on.`);
      const done = await stage.step(step).catch((error: unknown) => {
        throw tellCheckpoint(error, kept);
      });
      step = done.step;
      curve = addStep(curve, { ...done, step: offset + step }, all);
      options.onEvent?.({ kind: 'step', step: offset + step, steps: all, loss: done.loss, terms: done.terms });
      if (step % phase.validateEvery !== 0 && step !== steps) continue;
      const state = await stage.state();
      const student = await meanDice(measure, served(state.student), data.validation);
      const ema = await meanDice(measure, served(state.ema), data.validation);
      const validated = addValidation(curve, { step: offset + step, student, ema });
      if (validated.improved) best = served(student >= ema ? state.student : state.ema);
      curve = validated.curve;
      options.onEvent?.({ kind: 'validation', step: offset + step, student, ema, best: curve.bestScore });
      const checkpoint = { workSha256, state, ...(best ? { best } : {}), extra: curve };
      const path = join(options.folder, checkpointName);
      await saveCheckpoint(path, measure.tableHash, checkpoint).catch((error: unknown) => {
        throw tellCheckpoint(error, kept);
      });
      kept = offset + step;
    }
    const start = best ? fromHalf(toHalf(best)) : served((await stage.state()).student);
    const { calibration: _, ...rest } = curve;
    return { start, best, curve: { ...rest, phase: curve.phase + 1 } };
  } finally {
    await stage.dispose();
  }
}

function isState(start: Run['start']): start is TrainingState {
  return start !== undefined && !(start instanceof Float32Array);
}

/** A run that left the numbers says from where it can go on. */
function tellCheckpoint(error: unknown, step: number | undefined): unknown {
  if (!(error instanceof AppError) || error.code !== 'training-not-finite') return error;
  const kept = step === undefined ? 'There is no checkpoint yet' : `The checkpoint of step ${step} stays`;
  return new AppError(error.code, `${error.message}. ${kept}.`, error.detail, { cause: error });
}

async function meanDice(measure: Measure, weights: Float32Array, subjects: readonly JudgedSubject[]): Promise<number> {
  let sum = 0;
  for (const { judged } of subjects) sum += await measure.dice(weights, judged);
  return sum / subjects.length;
}

interface Trained {
  readonly best: Float32Array;
  readonly curve: Curve;
  readonly measure: Measure;
  readonly data: TrainingData;
  readonly splits: Splits;
  readonly teacher: GeneralizedTeacher | null;
}

/** Measures what will be served, the weights after rounding to fp16, and writes the folder; the card comes last. */
async function publish(recipe: Recipe, { folder, engine, onEvent }: TrainOptions, trained: Trained): Promise<Card> {
  const { measure, data, splits } = trained;
  const served = fromHalf(toHalf(trained.best));
  const test = await measureTest(measure, served, splits, ({ subject, dice }) =>
    onEvent?.({ kind: 'test', subject, dice }),
  );
  const spread = spreadBySegment(recipe.card.segments, test.rows);
  const seen = await measureSeen(measure, served, data);
  const { bestScore, bestStep, bestSource, validation, losses } = trained.curve;
  const card = await writeVersionFiles(folder, {
    card: {
      ...recipe.card,
      ...familiarOf(data.looks),
      parent: null,
      notes: [
        ...describeMethod(recipe, trained.teacher),
        `Chosen on validation subjects: ${bestSource} of step ${bestStep}, Dice ${bestScore.toFixed(3)}.`,
        describeSpread(spread),
      ],
      engine: engineName(engine),
    },
    weights: trained.best,
    tableHash: measure.tableHash,
    recipe: withoutPatients(recipe),
    metrics: {
      segments: spread,
      test: test.rows,
      seen,
      best: { score: bestScore, step: bestStep, source: bestSource },
      validation,
      losses,
    },
  });
  await writeTrainingReport(folder, {
    card,
    curve: trained.curve,
    subjects: [...test.rows.map((row) => ({ split: 'test' as const, ...row })), ...seen],
    spread,
    failures: test.failures,
    labelled: data.labelledSubjects,
    phases: phasesOf(recipe)
      .slice(1)
      .map(({ offset, label }) => ({ x: offset, label })),
  });
  return card;
}

/** How the weights came to be, for the card. */
function describeMethod({ stage1, stage2 }: Recipe, teacher: GeneralizedTeacher | null): readonly string[] {
  const distilled = stage1.isDistilled
    ? `visual and semantic distillation. ${teacher?.description}`
    : 'no visual or semantic distillation.';
  return [
    `Stage 1 of UnCoL: four heads, copy-paste within the labelled set, EMA; ${distilled}`,
    ...(stage2 ? [`Stage 2: unlabelled subjects. ${teacher?.description ?? 'No generalized teacher.'}`] : []),
  ];
}
