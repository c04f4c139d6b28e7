import type { Engine, TrainingState } from '../../engine/ops.ts';
import { Random } from '../../engine/random.ts';
import { initialise, initialState, pickParameters, widenState } from '../../engine/vectors.ts';
import type { Student } from '../../student/architecture.ts';
import type { LabelledSlice } from '../../uncol/feed.ts';
import {
  type CollaborationSettings,
  collaborationSettingsSchema,
  pretrainingSettingsSchema,
  publishedMargin,
} from '../../uncol/settings.ts';
import { Pretraining, pretrainingTable } from '../../uncol/stage-one.ts';
import { Collaboration, collaborationTable, type Guidance } from '../../uncol/stage-two.ts';
import { uncalibrated } from '../../uncol/teachers/calibration.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../../uncol/teachers/generalized.ts';
import { augment, noWarping, type TaughtSlice, tokenMaps } from '../augment.ts';
import { examine, rehearse } from '../exam.ts';
import type { LabelledVolume } from '../labelled-volume.ts';
import type { Measure } from '../measure.ts';
import { picker } from '../pick.ts';
import { meanOf, medianOf } from '../statistics.ts';
import { showToTeacher } from '../taught.ts';
import { type Arm, type ArmName, arms } from './arms.ts';
import { judgePseudoLabels, type PseudoLabelQuality } from './pseudo-labels.ts';
import type { AblationRecipe, AblationSchedule } from './recipe.ts';

/** Slices of one task and one labelled set. */
export interface BlockData {
  readonly labelled: readonly LabelledSlice[];
  /** With their truth, which only full supervision and the judging of pseudo labels see. */
  readonly unlabelled: readonly LabelledSlice[];
  /** Of each subject the slices that are measured. */
  readonly validation: readonly LabelledVolume[];
  readonly test: readonly LabelledVolume[];
}

/** What became of one arm. */
export interface ArmResult {
  /** Student of the last step: mean Dice over the test subjects. */
  readonly dice: number;
  readonly diceByClass: readonly number[];
  /** EMA of the last step. */
  readonly diceEma: number;
  /** Weights with the best validation Dice, student or EMA, the start included. */
  readonly diceValidated: number;
  readonly pseudo: PseudoLabelQuality | null;
  /** Classes for which the generalized teacher was admitted; null where it was not examined. */
  readonly admitted: readonly boolean[] | null;
  /** Median time of a stage-2 step, ms; null without one. */
  readonly stepMs: number | null;
}

export interface BlockParts {
  readonly engine: Engine;
  readonly student: Student;
  readonly recipe: AblationRecipe;
  readonly schedule: AblationSchedule;
  readonly measure: Measure;
  readonly teacher: GeneralizedTeacher;
  readonly seed: number;
}

const warpings = { mild: noWarping, warped: { rotationDegrees: 10, scaleSd: 0.08 } } as const;

/** Runs arms from common starts; a start is trained when an arm first wants it. */
export class Block {
  readonly #data: BlockData;
  readonly #parts: BlockParts;
  readonly #starts = new Map<string, Promise<TrainingState>>();

  constructor(data: BlockData, parts: BlockParts) {
    this.#data = data;
    this.#parts = parts;
  }

  async run(name: ArmName): Promise<ArmResult> {
    const arm: Arm = arms[name];
    const start = await this.#start(arm);
    if (arm.learnsFrom === null) {
      const { student } = start;
      const weights = (await this.#isBetterOnValidation(start.ema, student)) ? start.ema : student;
      return { ...(await this.#judge(student, start.ema, weights)), pseudo: null, admitted: null, stepMs: null };
    }
    return this.#runStageTwo(arm, start);
  }

  /** Served parameters of student and EMA after stage 1. */
  #start({ isDistilled, learnsFrom }: Arm): Promise<TrainingState> {
    const key = learnsFrom === 'all' ? 'all' : isDistilled ? 'distilled' : 'plain';
    const known = this.#starts.get(key) ?? this.#pretrain(learnsFrom === 'all', isDistilled);
    this.#starts.set(key, known);
    return known;
  }

  async #pretrain(onAll: boolean, isDistilled: boolean): Promise<TrainingState> {
    const { engine, student, schedule, teacher, seed } = this.#parts;
    const { steps, learningRate, batch, drawsByClass } = schedule.stage1;
    const settings = pretrainingSettingsSchema.parse({ totalSteps: steps, learningRate, seed });
    const pool = onAll ? [...this.#data.labelled, ...this.#data.unlabelled] : this.#data.labelled;
    const slices: readonly TaughtSlice[] = isDistilled
      ? await showToTeacher(pool, teacher, this.#size, publishedMargin)
      : pool;
    const plan = { batch, ...this.#frame, maps: isDistilled ? (teacher.features?.maps ?? null) : null };
    const pick = picker(slices, { drawsByClass }, plan.space);
    const table = pretrainingTable(engine, student, plan);
    const stage = await Pretraining.create(engine, student, settings, plan, initialState(initialise(table, seed)));
    try {
      for (let step = 0; step < steps; step++) {
        const random = Random.for(seed, 'ablation', 'stage-1', step);
        await stage.step(Array.from({ length: batch }, () => this.#warp(pick(random), random)));
      }
      const state = await stage.state();
      const served = this.#servedTable;
      const student = pickParameters(state.student, table, served);
      return { ...initialState(student), ema: pickParameters(state.ema, table, served) };
    } finally {
      await stage.dispose();
    }
  }

  async #runStageTwo(arm: Arm, start: TrainingState): Promise<ArmResult> {
    const { engine, student, schedule, seed } = this.#parts;
    const { steps, learningRate, pairs, validateEvery } = schedule.stage2;
    const settings = collaborationSettingsSchema.parse({ ...arm.settings, totalSteps: steps, learningRate, seed });
    const { labelled, unlabelled } = this.#data;
    const guidance = arm.learnsFrom === 'labelled-and-unlabelled' ? await this.#guide(arm, settings, start.ema) : null;
    const needsMaps = settings.visualWeight > 0 && guidance !== null;
    const known: readonly TaughtSlice[] = arm.learnsFrom === 'all' ? [...labelled, ...unlabelled] : labelled;
    const slices = needsMaps ? await showToTeacher(known, guidance.teacher, this.#size, settings.promptMargin) : known;
    const plan = { pairs, ...this.#frame, guidance };
    const table = collaborationTable(engine, student, settings, plan);
    const state = widenState(start, this.#servedTable, table, seed);
    const stage = await Collaboration.create(engine, student, settings, plan, state);
    const served = (vector: Float32Array) => pickParameters(vector, table, this.#servedTable);
    const times: number[] = [];
    let best = start.student;
    try {
      for (let step = 0; step < steps; step++) {
        const random = Random.for(seed, 'ablation', 'stage-2', step);
        const batch = {
          labelled: Array.from({ length: 2 * pairs }, () => this.#warp(random.pick(slices), random)),
          unlabelled: guidance ? Array.from({ length: 2 * pairs }, () => random.pick(unlabelled).image) : [],
        };
        const before = performance.now();
        await stage.step(batch);
        times.push(performance.now() - before);
        if ((step + 1) % validateEvery !== 0 && step + 1 !== steps) continue;
        const now = await stage.state();
        for (const weights of [now.student, now.ema].map(served)) {
          if (await this.#isBetterOnValidation(weights, best)) best = weights;
        }
      }
      const last = await stage.state();
      const pseudo = guidance
        ? await judgePseudoLabels(engine, student, unlabelled, this.#frame.space, guidance, settings, served(last.ema))
        : null;
      const admitted = guidance && arm.hasTeacher ? guidance.calibration.admitted : null;
      return {
        ...(await this.#judge(served(last.student), served(last.ema), best)),
        pseudo,
        admitted,
        stepMs: medianOf(times),
      };
    } finally {
      await stage.dispose();
    }
  }

  /** The generalized teacher, or none in its place, and its exam on the labelled slices. */
  async #guide(arm: Arm, settings: CollaborationSettings, ema: Float32Array): Promise<Guidance> {
    const { engine, student, teacher, seed } = this.#parts;
    if (!arm.hasTeacher) {
      const calibration = uncalibrated(student.classes, settings);
      return { teacher: abstainingTeacher('Left out in this arm.'), calibration };
    }
    const exam = rehearse(this.#data.labelled, this.#frame.space, seed);
    return examine(teacher, exam, settings, { engine, student, ...this.#frame }, ema);
  }

  async #judge(last: Float32Array, ema: Float32Array, validated: Float32Array) {
    const rows: (readonly number[])[] = [];
    for (const subject of this.#data.test) rows.push(await this.#parts.measure.diceByClass(last, subject));
    const diceByClass = (rows[0] ?? []).map((_, c) => meanOf(rows.map((row) => row[c] ?? 0)));
    return {
      dice: meanOf(diceByClass),
      diceByClass,
      diceEma: await this.#meanDice(ema, this.#data.test),
      diceValidated: validated === last ? meanOf(diceByClass) : await this.#meanDice(validated, this.#data.test),
    };
  }

  async #isBetterOnValidation(weights: Float32Array, than: Float32Array): Promise<boolean> {
    const { validation } = this.#data;
    return (await this.#meanDice(weights, validation)) > (await this.#meanDice(than, validation));
  }

  async #meanDice(weights: Float32Array, subjects: BlockData['test']): Promise<number> {
    const values: number[] = [];
    for (const subject of subjects) values.push(await this.#parts.measure.dice(weights, subject));
    return meanOf(values);
  }

  #warp(slice: TaughtSlice, random: Random): LabelledSlice {
    const { augmentation, sizePx } = this.#parts.recipe;
    if (augmentation === 'none') return { ...slice, ...tokenMaps(slice, { space: [sizePx, sizePx] }) };
    return augment(slice, sizePx, random, warpings[augmentation]);
  }

  get #frame() {
    const { sizePx } = this.#parts.recipe;
    return { space: [sizePx, sizePx] };
  }

  get #size() {
    return { classes: this.#parts.student.classes, ...this.#frame };
  }

  get #servedTable() {
    const { engine, student, recipe } = this.#parts;
    return engine.table(student.inferenceProgram(1, [recipe.sizePx, recipe.sizePx]));
  }
}
