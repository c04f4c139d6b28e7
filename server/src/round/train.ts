import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeVersionFiles } from '../candidate/write-version.ts';
import type { Engine, TrainingState } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import { fromHalf, initialise, initialState, toHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import type { SliceCard } from '../registry/card.ts';
import type { Colin27 } from '../sample/colin27.ts';
import { studentOf } from '../student/architecture.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { pretrainingSettingsSchema } from '../uncol/settings.ts';
import { Pretraining } from '../uncol/stage-one.ts';
import { augment } from './augment.ts';
import { hashWork, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { Measure } from './measure.ts';
import { type Recipe, seedsOf } from './recipe.ts';
import { chooseSubjects, prepareSubject, type Subject } from './subjects.ts';

/** What a training run tells while it goes on. */
export type TrainEvent =
  | { readonly kind: 'data'; readonly split: string; readonly done: number; readonly all: number }
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

export interface TrainOptions {
  readonly folder: string;
  readonly colin: Colin27;
  readonly engine: Engine;
  readonly onEvent?: (event: TrainEvent) => void;
  readonly signal?: AbortSignal;
}

interface Curve {
  /** Phases done: 0 while the first runs. */
  readonly phase: number;
  readonly bestScore: number;
  /** Counted over all phases. */
  readonly bestStep: number;
  readonly bestSource: 'student' | 'specialized-teacher' | 'none';
  readonly validation: readonly { readonly step: number; readonly student: number; readonly ema: number }[];
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
}

const emptyCurve: Curve = { phase: 0, bestScore: -1, bestStep: 0, bestSource: 'none', validation: [], losses: [] };

/**
 * Trains a model version from a recipe and writes its folder: `card.json`, `student.weights.bin` (fp16), `recipe.json`,
 * `metrics.json`. A run that was stopped goes on from its checkpoint and ends with the same bits.
 *
 * @throws AppError `training-not-finite`: the checkpoint before it stays; `job-cancelled`: the signal was aborted;
 *   `recipe-invalid`: the folder holds the checkpoint of another recipe.
 */
export async function train(recipe: Recipe, options: TrainOptions): Promise<SliceCard> {
  const { folder, engine, colin } = options;
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
  const kept = await loadCheckpoint<Curve>(join(folder, checkpointName), table.hash);
  const workSha256 = hashLearning(recipe);
  if (kept && kept.workSha256 !== workSha256) {
    throw new AppError(
      'recipe-invalid',
      `${join(folder, checkpointName)} belongs to another recipe: delete it to start anew, or choose another folder.`,
    );
  }
  let run: Run = kept
    ? { state: kept.state, best: kept.best, curve: kept.extra }
    : { state: initialState(initialise(table, recipe.seed)), best: undefined, curve: emptyCurve };
  const subjects = (split: 'labelled' | 'validation') =>
    chooseSubjects(colin, recipe.task, recipe[split], input, (done, all) =>
      options.onEvent?.({ kind: 'data', split, done, all }),
    );
  const data = { pool: subjects('labelled').flatMap((subject) => subject.slices), validation: subjects('validation') };
  const measure = await Measure.create(engine, recipe.card);
  try {
    for (let phase = phaseOf(recipe, run.curve.phase); phase; phase = phaseOf(recipe, run.curve.phase)) {
      run = await runPhase(phase, run, { recipe, options, data, measure });
    }
    if (!run.best) throw new AppError('training-not-finite', 'No validation gave a number.');
    return await publish(recipe, options, { best: run.best, curve: run.curve, measure });
  } finally {
    await measure.dispose();
  }
}

const checkpointName = 'checkpoint.bin';

/** Hash of all in a recipe that the weights depend on: texts of the card may change without a new training. */
function hashLearning({ task, seed, labelled, validation, stage1, card }: Recipe): string {
  const { input, architecture } = card;
  return hashWork({ task, seed, labelled, validation, stage1, input, architecture });
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
  readonly data: { readonly pool: readonly LabelledSlice[]; readonly validation: readonly Subject[] };
  readonly measure: Measure;
}

/** Runs a phase to its end, from wherever it was; the run it gives stands at the beginning of the next one. */
async function runPhase(phase: Phase, from: Run, { recipe, options, data, measure }: Surroundings): Promise<Run> {
  const { card, stage1 } = recipe;
  const { steps, learningRate, copyPasteShare, offset, seed } = phase;
  const [width, height] = card.input.sizePx;
  const student = studentOf(card.architecture);
  const settings = pretrainingSettingsSchema.parse({ totalSteps: steps, learningRate, copyPasteShare, seed });
  const shape = { batch: stage1.batch, space: [height, width], maps: null };
  const stage = await Pretraining.create(options.engine, student, settings, shape, from.state);
  let { best, curve } = from;
  try {
    for (let step = from.state.step; step < steps; ) {
      if (options.signal?.aborted)
        throw new AppError('job-cancelled', `Stopped after step ${offset + step}; the same command goes on.`);
      const done = await stage.step(drawBatch(data.pool, stage1, width, seed, step));
      step = done.step;
      const all = stage1.steps + (stage1.refine?.steps ?? 0);
      options.onEvent?.({ kind: 'step', step: offset + step, steps: all, loss: done.loss, terms: done.terms });
      if (step % stage1.validateEvery !== 0 && step !== steps) continue;
      const state = stage.state();
      const student = await meanDice(measure, state.student, data.validation);
      const ema = await meanDice(measure, state.ema, data.validation);
      const improved = Math.max(student, ema) > curve.bestScore;
      if (improved) best = student >= ema ? state.student : state.ema;
      curve = extend(curve, offset + step, done.loss, student, ema, improved);
      options.onEvent?.({ kind: 'validation', step: offset + step, student, ema, best: curve.bestScore });
      const checkpoint = { workSha256: hashLearning(recipe), state, ...(best ? { best } : {}), extra: curve };
      await saveCheckpoint(join(options.folder, checkpointName), measure.tableHash, checkpoint);
    }
    const state = best ? initialState(fromHalf(toHalf(best))) : stage.state();
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

async function meanDice(measure: Measure, weights: Float32Array, subjects: readonly Subject[]): Promise<number> {
  let sum = 0;
  for (const subject of subjects) sum += await measure.dice(weights, subject.slices);
  return sum / subjects.length;
}

function extend(curve: Curve, step: number, loss: number, student: number, ema: number, improved: boolean): Curve {
  return {
    phase: curve.phase,
    bestScore: improved ? Math.max(student, ema) : curve.bestScore,
    bestStep: improved ? step : curve.bestStep,
    bestSource: improved ? (student >= ema ? 'student' : 'specialized-teacher') : curve.bestSource,
    validation: [...curve.validation, { step, student, ema }],
    losses: [...curve.losses, { step, loss }],
  };
}

interface Trained {
  readonly best: Float32Array;
  readonly curve: Curve;
  readonly measure: Measure;
}

/** Measures what will be served, the weights after rounding to fp16, and writes the folder; the card comes last. */
async function publish(
  recipe: Recipe,
  { folder, colin, engine, onEvent }: TrainOptions,
  trained: Trained,
): Promise<SliceCard> {
  const served = fromHalf(toHalf(trained.best));
  const test: { subject: string; dice: number }[] = [];
  for (const variation of ['sample', 'wide'] as const) {
    for (const seed of seedsOf(recipe.test.seeds)) {
      const { slices } = prepareSubject(colin, recipe.task, variation, seed, recipe.card.input);
      const row = { subject: `${variation}-${seed}`, dice: await trained.measure.servedDice(served, slices) };
      test.push(row);
      onEvent?.({ kind: 'test', ...row });
    }
  }
  const { bestScore, bestStep, bestSource, validation, losses } = trained.curve;
  return writeVersionFiles(folder, {
    card: {
      ...recipe.card,
      parent: null,
      notes: [
        'Stage 1 of UnCoL, supervised part: four heads, copy-paste within the labelled set, EMA.',
        'The generalized teacher abstained: no visual or semantic distillation.',
        `Chosen on validation subjects: ${bestSource} of step ${bestStep}, Dice ${bestScore.toFixed(3)}.`,
      ],
      engine: `${engine.reading} ${engine.device}`,
    },
    weights: trained.best,
    tableHash: trained.measure.tableHash,
    recipe,
    metrics: { test, best: { score: bestScore, step: bestStep, source: bestSource }, validation, losses },
  });
}
