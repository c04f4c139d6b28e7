import type { Engine, ParameterTable, TrainingState } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import { initialise, initialState, widenState } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import { type Student, studentOf } from '../student/architecture.ts';
import type { Progress } from '../uncol/progress.ts';
import { collaborationSettingsSchema, pretrainingSettingsSchema, publishedMargin } from '../uncol/settings.ts';
import { Pretraining, pretrainingTable } from '../uncol/stage-one.ts';
import { Collaboration, type CollaborationPlan, collaborationTable, type Guidance } from '../uncol/stage-two.ts';
import type { Calibration } from '../uncol/teachers/calibration.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import type { TaughtSlice } from './augment.ts';
import { examine, rehearse } from './exam.ts';
import { feedOf } from './feed.ts';
import { picker } from './pick.ts';
import type { Recipe } from './recipe.ts';
import { showToTeacher } from './taught.ts';

/** A part of a training with a schedule of its own. */
export interface Phase {
  readonly kind: 'pretraining' | 'collaboration';
  /** For the report. */
  readonly label: string;
  readonly steps: number;
  /** Steps of the phases before. */
  readonly offset: number;
  readonly seed: number;
  readonly validateEvery: number;
  readonly learningRate: number;
  /** Of a pretraining. */
  readonly copyPasteShare: number;
}

/** The phases of a recipe in order: stage 1, its refinement, stage 2. */
export function phasesOf({ stage1, stage2, seed }: Recipe): readonly Phase[] {
  const { steps, learningRate, copyPasteShare, validateEvery, refine } = stage1;
  const first = { kind: 'pretraining', label: 'stage 1', validateEvery } as const;
  const phases: Phase[] = [{ ...first, steps, learningRate, copyPasteShare, offset: 0, seed }];
  if (refine) phases.push({ ...first, ...refine, label: 'refining', offset: steps, seed: seed + 1 });
  if (stage2) {
    const offset = steps + (refine?.steps ?? 0);
    const { validateEvery: every, steps: count, learningRate: rate } = stage2;
    const last = { kind: 'collaboration', label: 'stage 2', validateEvery: every, copyPasteShare: 1 } as const;
    phases.push({ ...last, steps: count, learningRate: rate, offset, seed: seed + 2 });
  }
  return phases;
}

/** What phases learn from. */
export interface PhaseData {
  readonly pool: readonly TaughtSlice[];
  /** [space...] float32; empty where the recipe names none. */
  readonly unlabelled: readonly Float32Array[];
}

export interface PhaseParts {
  readonly engine: Engine;
  readonly recipe: Recipe;
  readonly data: PhaseData;
  /** The one that the recipe names; null when it names none. */
  readonly teacher: GeneralizedTeacher | null;
}

/** A phase that runs. */
export interface RunningPhase {
  /** What the phase trains: the student's parameters, and what the distillation needs beside them. */
  readonly table: ParameterTable;
  /** Of the generalized teacher, where it was examined. */
  readonly calibration?: Calibration | undefined;
  /** Takes step `at` of the phase, 0 first. */
  step(at: number): Promise<Progress>;
  state(): Promise<TrainingState>;
  dispose(): Promise<void>;
}

/** Where a phase begins: where it was stopped; the weights of the phase before; or, undefined, new weights. */
export type PhaseStart = TrainingState | Float32Array | undefined;

/**
 * Opens a phase.
 *
 * @param calibration of the teacher, where the phase goes on: its exam was that of the weights it began with.
 * @throws AppError `recipe-invalid`: the recipe asks to distil and names no teacher that can be distilled.
 */
export async function openPhase(
  phase: Phase,
  parts: PhaseParts,
  start: PhaseStart,
  calibration: Calibration | undefined,
): Promise<RunningPhase> {
  return phase.kind === 'pretraining'
    ? openPretraining(phase, parts, start)
    : openCollaboration(phase, parts, start, calibration);
}

async function openPretraining(phase: Phase, parts: PhaseParts, start: PhaseStart): Promise<RunningPhase> {
  const { engine, recipe, data, teacher } = parts;
  const { steps: totalSteps, learningRate, copyPasteShare, seed } = phase;
  const { batch, isDistilled } = recipe.stage1;
  const settings = pretrainingSettingsSchema.parse({ totalSteps, learningRate, copyPasteShare, seed });
  const { student, feed, space, size } = sizesOf(recipe);
  const features = isDistilled ? teacher?.features : null;
  if (isDistilled && !features) throw new AppError('recipe-invalid', 'Stage 1 is to distil, but no teacher is named.');
  const pool = features && teacher ? await showToTeacher(data.pool, teacher, size, publishedMargin) : data.pool;
  const pick = picker(pool, recipe.stage1, space);
  const plan = { batch, space, maps: features?.maps ?? null };
  const table = pretrainingTable(engine, student, plan);
  const stage = await Pretraining.create(engine, student, settings, plan, begin(start, table, parts, phase));
  return {
    table,
    step: (at) => {
      const random = Random.for(seed, 'batch', at);
      return stage.step(Array.from({ length: batch }, () => feed.augment(pick(random), random)));
    },
    state: () => stage.state(),
    dispose: () => stage.dispose(),
  };
}

async function openCollaboration(
  phase: Phase,
  parts: PhaseParts,
  start: PhaseStart,
  kept: Calibration | undefined,
): Promise<RunningPhase> {
  const { engine, recipe, data } = parts;
  const { stage2 } = recipe;
  if (!stage2) throw new RangeError('the recipe has no stage 2');
  const { pairs, steps, learningRate, validateEvery: _, ...method } = stage2;
  const { student, feed, space, size } = sizesOf(recipe);
  const settings = collaborationSettingsSchema.parse({
    ...feed.method,
    ...method,
    totalSteps: steps,
    learningRate,
    seed: phase.seed,
  });
  const teacher = parts.teacher ?? abstainingTeacher('None is named.');
  const guide = async (): Promise<Guidance> => {
    if (kept) return { teacher, calibration: kept };
    const weights = start instanceof Float32Array ? start : initialise(servedTable(parts), recipe.seed);
    return examine(teacher, rehearse(data.pool, space, phase.seed), settings, { engine, student, space }, weights);
  };
  const pool =
    settings.visualWeight > 0 ? await showToTeacher(data.pool, teacher, size, settings.promptMargin) : data.pool;
  const pick = picker(pool, recipe.stage1, space);
  const guidance = data.unlabelled.length > 0 ? await guide() : null;
  const plan: CollaborationPlan = { pairs, space, guidance };
  const table = collaborationTable(engine, student, settings, plan);
  const stage = await Collaboration.create(engine, student, settings, plan, begin(start, table, parts, phase));
  return {
    table,
    calibration: guidance?.calibration,
    step: (at) => {
      const random = Random.for(phase.seed, 'pairs', at);
      return stage.step({
        labelled: Array.from({ length: 2 * pairs }, () => feed.augment(pick(random), random)),
        unlabelled: guidance ? Array.from({ length: 2 * pairs }, () => random.pick(data.unlabelled)) : [],
      });
    },
    state: () => stage.state(),
    dispose: () => stage.dispose(),
  };
}

function sizesOf({ card, stage1 }: Recipe) {
  const student: Student = studentOf(card.architecture);
  const feed = feedOf(card, stage1.warping);
  const { space } = feed;
  return { student, feed, space, size: { classes: student.classes, space } };
}

function servedTable({ engine, recipe }: PhaseParts): ParameterTable {
  const { student, space } = sizesOf(recipe);
  return engine.table(student.inferenceProgram(1, space));
}

/** The state that a phase begins with; what only its distillation needs starts anew. */
function begin(start: PhaseStart, table: ParameterTable, parts: PhaseParts, phase: Phase): TrainingState {
  if (start === undefined) return initialState(initialise(table, parts.recipe.seed));
  if (!(start instanceof Float32Array)) return start;
  return widenState(initialState(start), servedTable(parts), table, phase.seed);
}
