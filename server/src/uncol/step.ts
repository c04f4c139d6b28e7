import type { Arrays, Engine, Trainer, TrainingState } from '../engine/ops.ts';
import { AppError } from '../errors/app-error.ts';
import type { StudentConfig } from '../student/architecture.ts';
import { type CollaborationShape, collaborateProgram, labelledOnlyProgram } from './collaborate.ts';
import { warmingEmaDecay } from './ema.ts';
import { type LabelledSlice, labelledArrays, randomArrays } from './feed.ts';
import { type PretrainingShape, pretrainProgram } from './pretrain.ts';
import { polynomialRate, trustThreshold } from './schedule.ts';
import { type CollaborationSettings, optimiserOf, type PretrainingSettings } from './settings.ts';
import { consultTeachers } from './teachers/consult.ts';
import type { GeneralizedTeacher } from './teachers/generalized.ts';
import { SpecializedTeacher } from './teachers/specialized.ts';

export type { LabelledSlice } from './feed.ts';

/** What one step did, for log and panel. */
export interface Progress {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
}

/** Progress of a stage-2 step; `trust` as shares of the unlabelled pixels, null where there are none. */
export interface CollaborationProgress extends Progress {
  readonly trust: { readonly generalized: number; readonly specialized: number; readonly ignored: number } | null;
}

/**
 * Stage 1, step by step. Every random draw is a function of the seed and the number of the step, so a run that goes on
 * from {@link Pretraining.state} equals one that was never stopped, bit by bit.
 */
export class Pretraining {
  readonly #trainer: Trainer;
  readonly #draw: (step: number) => Arrays;
  readonly #settings: PretrainingSettings;
  readonly #shape: PretrainingShape;
  #step: number;

  private constructor(
    trainer: Trainer,
    config: StudentConfig,
    settings: PretrainingSettings,
    shape: PretrainingShape,
    step: number,
  ) {
    const size = { mixes: shape.batch - 1, height: shape.height, width: shape.width };
    this.#trainer = trainer;
    this.#draw = (at) => randomArrays(settings, 'pretraining', at, config, size);
    this.#settings = settings;
    this.#shape = shape;
    this.#step = step;
  }

  static async create(
    engine: Engine,
    config: StudentConfig,
    settings: PretrainingSettings,
    shape: PretrainingShape,
    state: TrainingState,
  ): Promise<Pretraining> {
    const trainer = await engine.trainer(pretrainProgram(config, shape), optimiserOf(settings), state);
    return new Pretraining(trainer, config, settings, shape, state.step);
  }

  /**
   * One step of stage 1.
   *
   * @param labelled as many slices as the shape's batch; the first is pasted with each of the others.
   * @throws AppError `training-not-finite` when the loss or a term is no finite number.
   */
  async step(labelled: readonly LabelledSlice[]): Promise<Progress> {
    const { learningRate, totalSteps, emaDecay } = this.#settings;
    const slices = labelledArrays(labelled, this.#shape.height * this.#shape.width);
    const { loss, terms } = await this.#trainer.step(
      { ...slices, ...this.#draw(this.#step) },
      {
        learningRate: polynomialRate(learningRate, this.#step, totalSteps),
        emaDecay: warmingEmaDecay(this.#step, emaDecay),
      },
    );
    this.#step += 1;
    assertFinite(this.#step, loss, terms);
    return { step: this.#step, loss, terms };
  }

  /** Everything needed to go on later; a copy. */
  state(): Promise<TrainingState> {
    return this.#trainer.state();
  }

  dispose(): Promise<void> {
    return this.#trainer.dispose();
  }
}

/** The two teachers of a stage 2 with unlabelled slices. */
interface Teachers {
  readonly specialized: SpecializedTeacher;
  readonly generalized: GeneralizedTeacher;
}

/** Stage 2, step by step; goes on from {@link Collaboration.state} bit by bit, as {@link Pretraining} does. */
export class Collaboration {
  readonly #trainer: Trainer;
  readonly #teachers: Teachers | null;
  readonly #draw: (step: number) => Arrays;
  readonly #settings: CollaborationSettings;
  readonly #size: { readonly classes: number; readonly height: number; readonly width: number };
  #step: number;

  private constructor(
    trainer: Trainer,
    teachers: Teachers | null,
    config: StudentConfig,
    settings: CollaborationSettings,
    shape: CollaborationShape,
    step: number,
  ) {
    const size = { mixes: 2 * shape.pairs, height: shape.height, width: shape.width };
    this.#trainer = trainer;
    this.#teachers = teachers;
    this.#draw = (at) => randomArrays(settings, 'collaboration', at, config, size);
    this.#settings = settings;
    this.#size = { classes: config.classes, height: shape.height, width: shape.width };
    this.#step = step;
  }

  /**
   * @param generalizedTeacher null where there are no unlabelled slices: no teacher is asked then, and labelled slices
   *   are pasted on each other.
   */
  static async create(
    engine: Engine,
    config: StudentConfig,
    settings: CollaborationSettings,
    shape: CollaborationShape,
    state: TrainingState,
    generalizedTeacher: GeneralizedTeacher | null,
  ): Promise<Collaboration> {
    const program = (generalizedTeacher ? collaborateProgram : labelledOnlyProgram)(config, shape, settings);
    const trainer = await engine.trainer(program, optimiserOf(settings), state);
    const teachers = generalizedTeacher && {
      specialized: await SpecializedTeacher.create(engine, config, { ...shape, batch: 2 * shape.pairs }),
      generalized: generalizedTeacher,
    };
    return new Collaboration(trainer, teachers, config, settings, shape, state.step);
  }

  /**
   * One step of stage 2: ask the teachers, draw the mix, learn, let the specialized teacher follow.
   *
   * @param slices `labelled`: n slices A, then n slices B. `unlabelled` [H,W]: n slices U_a, then n slices U_b, or none
   *   where it was created without a generalized teacher.
   * @throws AppError `training-not-finite` when the loss or a term is no finite number.
   */
  async step(slices: {
    readonly labelled: readonly LabelledSlice[];
    readonly unlabelled: readonly Float32Array[];
  }): Promise<CollaborationProgress> {
    const { learningRate, totalSteps, emaDecay, emaInStage2 } = this.#settings;
    const inputs = {
      ...labelledArrays(slices.labelled, this.#size.height * this.#size.width),
      ...(await this.#askTeachers(slices.unlabelled)),
      ...this.#draw(this.#step),
    };
    const { loss, terms } = await this.#trainer.step(inputs, {
      learningRate: polynomialRate(learningRate, this.#step, totalSteps),
      emaDecay: emaInStage2 ? emaDecay : 1,
    });
    this.#step += 1;
    assertFinite(this.#step, loss, terms);
    return { step: this.#step, loss, terms, trust: trustOf(terms) };
  }

  /** Everything needed to go on later; a copy. */
  state(): Promise<TrainingState> {
    return this.#trainer.state();
  }

  async dispose(): Promise<void> {
    await this.#trainer.dispose();
    await this.#teachers?.specialized.dispose();
  }

  async #askTeachers(unlabelled: readonly Float32Array[]): Promise<Arrays> {
    if (!this.#teachers) {
      if (unlabelled.length > 0) throw new RangeError(`no teacher to ask about ${unlabelled.length} unlabelled slices`);
      return {};
    }
    const { trustStart, trustEnd, totalSteps, promptMargin } = this.#settings;
    const { specialized, generalized } = this.#teachers;
    const ema = await this.#trainer.ema();
    const tau = trustThreshold(this.#step, totalSteps, { start: trustStart, end: trustEnd });
    return {
      ...(await consultTeachers(specialized, generalized, ema, unlabelled, this.#size, promptMargin)),
      threshold: Float32Array.of(tau),
    };
  }
}

function trustOf(terms: Readonly<Record<string, number>>): CollaborationProgress['trust'] {
  const { generalizedTrust: generalized, specializedTrust: specialized, ignored } = terms;
  if (generalized === undefined || specialized === undefined || ignored === undefined) return null;
  return { generalized, specialized, ignored };
}

function assertFinite(step: number, loss: number, terms: Readonly<Record<string, number>>): void {
  const bad = Object.entries({ loss, ...terms }).find(([, value]) => !Number.isFinite(value));
  if (bad) throw new AppError('training-not-finite', `${bad[0]} became ${bad[1]} in step ${step}`, { step });
}
