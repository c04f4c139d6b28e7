import type { Arrays, Engine, ParameterTable, Trainer, TrainingState } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import { product } from '../student/layers.ts';
import { patchSize } from '../student/prior-encoder.ts';
import { type CollaborationShape, collaborateProgram, labelledOnlyProgram } from './collaborate.ts';
import { type DistilledMaps, mapArrays } from './distill.ts';
import { type LabelledSlice, labelledArrays, mapsOf, randomArrays } from './feed.ts';
import type { ImageSize } from './inputs.ts';
import { type Progress, Watch } from './progress.ts';
import { polynomialRate, trustThreshold } from './schedule.ts';
import { type CollaborationSettings, optimiserOf } from './settings.ts';
import type { Calibration } from './teachers/calibration.ts';
import { consultTeachers } from './teachers/consult.ts';
import { mapTokens } from './teachers/feature-maps.ts';
import type { GeneralizedTeacher } from './teachers/generalized.ts';
import { SpecializedTeacher } from './teachers/specialized.ts';

/** Progress of a stage-2 step; `trust` as shares of the unlabelled pixels, null where there are none. */
export interface CollaborationProgress extends Progress {
  readonly trust: { readonly generalized: number; readonly specialized: number; readonly ignored: number } | null;
}

/** The generalized teacher and how far it is believed. */
export interface Guidance {
  readonly teacher: GeneralizedTeacher;
  readonly calibration: Calibration;
}

/** What a stage 2 is built for: sizes, numbers, and who helps. */
export interface CollaborationPlan extends CollaborationShape {
  /**
   * Null where there are no unlabelled slices: no teacher is asked then, and labelled slices are pasted on each other.
   */
  readonly guidance: Guidance | null;
}

/** The parameters that stage 2 trains: the student's, and with visual distillation the projection of the maps. */
export function collaborationTable(
  engine: Engine,
  student: Student,
  settings: CollaborationSettings,
  plan: CollaborationPlan,
): ParameterTable {
  return engine.table(programOf(student, settings, plan));
}

/** Stage 2, step by step; goes on from {@link Collaboration.state} bit by bit, as stage 1 does. */
export class Collaboration {
  readonly #trainer: Trainer;
  readonly #watch = new Watch();
  readonly #specialized: SpecializedTeacher | null;
  readonly #draw: (step: number) => Arrays;
  readonly #settings: CollaborationSettings;
  readonly #plan: CollaborationPlan;
  readonly #size: ImageSize;
  #step: number;

  private constructor(
    trainer: Trainer,
    specialized: SpecializedTeacher | null,
    student: Student,
    settings: CollaborationSettings,
    plan: CollaborationPlan,
    step: number,
  ) {
    const size = { mixes: 2 * plan.pairs, space: plan.space };
    this.#trainer = trainer;
    this.#specialized = specialized;
    this.#draw = (at) => randomArrays(settings, 'collaboration', at, student, size);
    this.#settings = settings;
    this.#plan = plan;
    this.#size = { classes: student.classes, space: plan.space };
    this.#step = step;
  }

  /** @param state by {@link collaborationTable}. */
  static async create(
    engine: Engine,
    student: Student,
    settings: CollaborationSettings,
    plan: CollaborationPlan,
    state: TrainingState,
  ): Promise<Collaboration> {
    const { pairs, space, guidance } = plan;
    const trainer = await engine.trainer(programOf(student, settings, plan), optimiserOf(settings), state);
    const shape = { batch: 2 * pairs, space };
    try {
      const specialized = guidance ? await SpecializedTeacher.following(trainer, student, shape) : null;
      return new Collaboration(trainer, specialized, student, settings, plan, state.step);
    } catch (error) {
      await trainer.dispose();
      throw error;
    }
  }

  /**
   * One step of stage 2: ask the teachers, draw the mix, learn, let the specialized teacher follow.
   *
   * @param slices or windows of volumes. `labelled`: n times A, then n times B. `unlabelled` [space...]: n times U_a, then
   *   n times U_b, or none where it was created without guidance.
   * @throws AppError `training-not-finite`, `training-collapsed`.
   */
  async step(slices: {
    readonly labelled: readonly LabelledSlice[];
    readonly unlabelled: readonly Float32Array[];
  }): Promise<CollaborationProgress> {
    const { learningRate, totalSteps, emaDecay, emaInStage2 } = this.#settings;
    const inputs = {
      ...labelledArrays(slices.labelled, product(this.#size.space)),
      ...(await this.#askTeachers(slices.unlabelled)),
      ...(await this.#distilled(slices)),
      ...this.#draw(this.#step),
    };
    const { loss, terms } = await this.#trainer.step(inputs, {
      learningRate: polynomialRate(learningRate, this.#step, totalSteps),
      emaDecay: emaInStage2 ? emaDecay : 1,
    });
    this.#step += 1;
    const progress = { step: this.#step, loss, terms };
    this.#watch.check(progress);
    return { ...progress, trust: trustOf(terms) };
  }

  /** Everything needed to go on later; a copy. */
  state(): Promise<TrainingState> {
    return this.#trainer.state();
  }

  async dispose(): Promise<void> {
    try {
      await this.#specialized?.dispose();
    } finally {
      await this.#trainer.dispose();
    }
  }

  async #askTeachers(unlabelled: readonly Float32Array[]): Promise<Arrays> {
    const { guidance } = this.#plan;
    if (!guidance || !this.#specialized) {
      if (unlabelled.length > 0) throw new RangeError(`no teacher to ask about ${unlabelled.length} unlabelled slices`);
      return {};
    }
    const { trustStart, trustEnd, totalSteps } = this.#settings;
    const { teacher: generalized, calibration } = guidance;
    const teachers = { specialized: this.#specialized, generalized, calibration };
    const tau = trustThreshold(this.#step, totalSteps, { start: trustStart, end: trustEnd });
    return {
      ...(await consultTeachers(teachers, unlabelled, this.#size, this.#settings)),
      temperature: Float32Array.from(calibration.temperature),
      threshold: Float32Array.of(tau),
    };
  }

  async #distilled({ labelled, unlabelled }: Parameters<Collaboration['step']>[0]): Promise<Arrays> {
    const maps = visualMapsOf(this.#settings, this.#plan);
    const features = this.#plan.guidance?.teacher.features;
    if (!maps || !features) return {};
    const { space } = this.#size;
    const seen: Float32Array[][] = [];
    for (const image of unlabelled) {
      const hidden = await features.hidden({ image, space });
      seen.push(hidden.map((map) => mapTokens(map, { space }, patchSize)));
    }
    const ofUnlabelled = seen.map((visual) => ({ visual, semantic: new Float32Array() }));
    return {
      ...mapArrays('labelled', mapsOf(labelled), maps, 'visual'),
      ...mapArrays('unlabelled', ofUnlabelled, maps, 'visual'),
    };
  }
}

function programOf(student: Student, settings: CollaborationSettings, plan: CollaborationPlan) {
  return plan.guidance
    ? collaborateProgram(student, plan, settings, visualMapsOf(settings, plan))
    : labelledOnlyProgram(student, plan, settings);
}

/** What stage 2 distils: hidden maps only, and only where they have a weight. */
function visualMapsOf({ visualWeight }: CollaborationSettings, { guidance }: CollaborationPlan): DistilledMaps | null {
  const maps = guidance?.teacher.features?.maps;
  return visualWeight > 0 && maps && maps.visual.length > 0 ? maps : null;
}

function trustOf(terms: Readonly<Record<string, number>>): CollaborationProgress['trust'] {
  const { generalizedTrust: generalized, specializedTrust: specialized, ignored } = terms;
  if (generalized === undefined || specialized === undefined || ignored === undefined) return null;
  return { generalized, specialized, ignored };
}
