import type { Arrays, Engine, ParameterTable, Trainer, TrainingState } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import { product } from '../student/layers.ts';
import { type DistilledMaps, mapArrays } from './distill.ts';
import { warmingEmaDecay } from './ema.ts';
import { type LabelledSlice, labelledArrays, mapsOf, randomArrays } from './feed.ts';
import { type PretrainingShape, pretrainProgram } from './pretrain.ts';
import { type Progress, Watch } from './progress.ts';
import { distillationWeight, polynomialRate } from './schedule.ts';
import { optimiserOf, type PretrainingSettings } from './settings.ts';

/** What a stage 1 is built for. `maps`: what the images bring of a generalized teacher, null without one. */
export interface PretrainingPlan extends PretrainingShape {
  readonly maps: DistilledMaps | null;
}

/** The parameters that stage 1 trains: the student's, and with a teacher the projections of its maps. */
export function pretrainingTable(engine: Engine, student: Student, plan: PretrainingPlan): ParameterTable {
  return engine.table(pretrainProgram(student, plan, plan.maps));
}

/**
 * Stage 1, step by step. Every random draw is a function of the seed and the number of the step, so a run that goes on
 * from {@link Pretraining.state} equals one that was never stopped, bit by bit.
 */
export class Pretraining {
  readonly #trainer: Trainer;
  readonly #watch = new Watch();
  readonly #draw: (step: number) => Arrays;
  readonly #settings: PretrainingSettings;
  readonly #plan: PretrainingPlan;
  #step: number;

  private constructor(
    trainer: Trainer,
    student: Student,
    settings: PretrainingSettings,
    plan: PretrainingPlan,
    step: number,
  ) {
    const size = { mixes: plan.batch - 1, space: plan.space };
    this.#trainer = trainer;
    this.#draw = (at) => randomArrays(settings, 'pretraining', at, student, size);
    this.#settings = settings;
    this.#plan = plan;
    this.#step = step;
  }

  /** @param state by {@link pretrainingTable}. */
  static async create(
    engine: Engine,
    student: Student,
    settings: PretrainingSettings,
    plan: PretrainingPlan,
    state: TrainingState,
  ): Promise<Pretraining> {
    const trainer = await engine.trainer(pretrainProgram(student, plan, plan.maps), optimiserOf(settings), state);
    return new Pretraining(trainer, student, settings, plan, state.step);
  }

  /**
   * One step of stage 1.
   *
   * @param labelled as many slices, or windows of volumes, as the plan's batch, with maps where it has any; the first is pasted with each of the
   *   others.
   * @throws AppError `training-not-finite`, `training-collapsed`.
   */
  async step(labelled: readonly LabelledSlice[]): Promise<Progress> {
    const { learningRate, totalSteps, emaDecay } = this.#settings;
    const inputs = {
      ...labelledArrays(labelled, product(this.#plan.space)),
      ...this.#distilled(labelled),
      ...this.#draw(this.#step),
    };
    const { loss, terms } = await this.#trainer.step(inputs, {
      learningRate: polynomialRate(learningRate, this.#step, totalSteps),
      emaDecay: warmingEmaDecay(this.#step, emaDecay),
    });
    this.#step += 1;
    const progress = { step: this.#step, loss, terms };
    this.#watch.check(progress);
    return progress;
  }

  /** Everything needed to go on later; a copy. */
  state(): Promise<TrainingState> {
    return this.#trainer.state();
  }

  dispose(): Promise<void> {
    return this.#trainer.dispose();
  }

  #distilled(labelled: readonly LabelledSlice[]): Arrays {
    const { maps } = this.#plan;
    if (!maps) return {};
    const { distillationWeight: weight, distillationRampShare: rampShare, totalSteps } = this.#settings;
    return {
      ...mapArrays('labelled', mapsOf(labelled), maps, 'both'),
      distillation: Float32Array.of(distillationWeight(this.#step, totalSteps, { weight, rampShare })),
    };
  }
}
