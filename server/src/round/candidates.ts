import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import { fromHalf, initialState, toHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import type { Student } from '../student/architecture.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { CollaborationSettings } from '../uncol/settings.ts';
import { Collaboration, type CollaborationProgress, type Guidance } from '../uncol/stage-two.ts';
import { type Checkpoint, hashWork, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import {
  type Choice,
  type Chosen,
  type Evaluation,
  hasStalled,
  isBetter,
  type RoundArm,
  roundArms,
  scoreOf,
} from './choice.ts';
import { hasForeground } from './draw.ts';
import type { Feed } from './feed.ts';
import type { RoundData } from './gather.ts';
import type { Measure } from './measure.ts';
import { type RoundPlan, roundSettings } from './plan.ts';

/** One way in which a round has learnt. */
export interface Course {
  readonly arm: RoundArm;
  /** Sums over its steps of loss terms and trust rates. */
  readonly sums: Readonly<Record<string, number>>;
  /** Steps done. */
  readonly steps: number;
  /** Of each evaluation the better score, student or specialized teacher. */
  readonly scores: readonly number[];
  /** Its best evaluated weights, better than the start or not; null before the first evaluation. */
  readonly best: {
    readonly source: 'student' | 'specialized-teacher';
    readonly step: number;
    readonly of: Evaluation;
  } | null;
}

/** All that the checkpoint of a round keeps beside weights. */
export interface Extra extends Chosen {
  /** Those begun, the running one last. */
  readonly courses: readonly Course[];
}

/** What the candidates of a round are made of. */
export interface Candidacy {
  readonly plan: RoundPlan;
  readonly data: RoundData;
  readonly engine: Engine;
  readonly inService: Float32Array;
  readonly measure: Measure;
  readonly student: Student;
  readonly feed: Feed;
  readonly settings: CollaborationSettings;
  /** Null where there is no unlabelled slice: then corrections and replay are all there is to learn from. */
  readonly guidance: Guidance | null;
  /** Of the gate. */
  readonly epsilon: number;
  /** Of the round's checkpoint. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onStep: (arm: RoundArm, done: CollaborationProgress) => void;
  readonly onEvaluation: (arm: RoundArm, step: number) => void;
  /** Sees what is evaluated, the start first, and must not change it: for questions that the choice does not ask. */
  readonly onEvaluated?: OnEvaluated | undefined;
}

/** @param weights as they would be served. */
export type OnEvaluated = (choice: Choice, of: Evaluation, weights: Float32Array) => void;

/** The arms that a round has. */
export function armsOf(guidance: Guidance | null): readonly RoundArm[] {
  return roundArms.filter((arm) => arm === 'supervised' || guidance !== null);
}

/**
 * Trains the candidates of a round one after the other and evaluates students and specialized teachers on the way; the best
 * weights of all, the start included, are the candidate that the gate is asked about (choice.ts). Goes on from its
 * checkpoint and then ends with the same bits.
 *
 * @returns served weights (float32 that fp16 holds) and how they were chosen.
 * @throws AppError `training-not-finite`, `training-collapsed`, `job-cancelled`.
 */
export async function trainCandidates(candidacy: Candidacy): Promise<{ extra: Extra; weights: Float32Array }> {
  const { plan, engine, student, feed, inService, measure, settings, folder } = candidacy;
  await mkdir(folder, { recursive: true });
  const workSha256 = hashWork({ plan, roundSettings });
  const found = await loadCheckpoint<Extra>(join(folder, 'checkpoint.bin'), measure.tableHash);
  const kept = found?.workSha256 === workSha256 ? found : undefined;
  let reached: Reached = { extra: kept?.extra ?? (await startOf(candidacy)), weights: kept?.best ?? inService };
  const arms = armsOf(candidacy.guidance);
  const last = kept?.extra.courses.at(-1);
  const running = last ? arms.indexOf(last.arm) : -1;
  for (const [at, arm] of arms.entries()) {
    if (at < running) continue;
    const state = kept && at === running ? kept.state : initialState(inService);
    if (at > running) reached = { ...reached, extra: begin(reached.extra, arm) };
    const shape = { pairs: feed.pairs, space: feed.space, guidance: arm === 'uncol' ? candidacy.guidance : null };
    const stage = await Collaboration.create(engine, student, settings, shape, state);
    try {
      reached = await runCourse(candidacy, { arm, stage, first: state.step, workSha256 }, reached);
    } finally {
      await stage.dispose();
    }
  }
  return reached;
}

interface Reached {
  readonly extra: Extra;
  /** The best weights so far, as they would be served. */
  readonly weights: Float32Array;
}

interface Running {
  readonly arm: RoundArm;
  readonly stage: Collaboration;
  /** Steps done before. */
  readonly first: number;
  readonly workSha256: string;
}

async function runCourse(
  candidacy: Candidacy,
  { arm, stage, first, workSha256 }: Running,
  from: Reached,
): Promise<Reached> {
  const { plan, measure, folder, signal } = candidacy;
  let { extra, weights } = from;
  const isDone = (step: number) => step === plan.steps || hasStalled(lastOf(extra).scores, roundSettings.patience);
  for (let step = first; !isDone(step); ) {
    if (signal.aborted) throw new AppError('job-cancelled', `The round was stopped after step ${step} of ${arm}.`);
    const done = await stage.step(drawBatch(candidacy, arm, step));
    step = done.step;
    extra = changeLast(extra, ({ sums }) => ({ steps: done.step, sums: addFigures(sums, done) }));
    candidacy.onStep(arm, done);
    if (!isEvaluated(step, plan.steps)) continue;
    const state = await stage.state();
    const scores: number[] = [];
    for (const [source, trained] of [
      ['student', state.student],
      ['specialized-teacher', state.ema],
    ] as const) {
      candidacy.onEvaluation(arm, step);
      // Served weights are fp16, so that is what is measured.
      const rounded = fromHalf(toHalf(trained));
      const of = await evaluate(measure, rounded, candidacy.data);
      scores.push(scoreOf(of));
      extra = changeLast(extra, ({ best }) =>
        best && scoreOf(best.of) >= scoreOf(of) ? {} : { best: { source, step, of } },
      );
      candidacy.onEvaluated?.({ arm, source, step }, of, rounded);
      if (!isBetter(of, extra, candidacy.epsilon)) continue;
      extra = { ...extra, best: of, chosen: { arm, source, step } };
      weights = rounded;
    }
    extra = changeLast(extra, (course) => ({ scores: [...course.scores, Math.max(...scores)] }));
    const checkpoint: Checkpoint<Extra> = { workSha256, state, best: weights, extra };
    await saveCheckpoint(join(folder, 'checkpoint.bin'), measure.tableHash, checkpoint);
  }
  return { extra, weights };
}

function begin(extra: Extra, arm: RoundArm): Extra {
  return { ...extra, courses: [...extra.courses, { arm, sums: {}, steps: 0, scores: [], best: null }] };
}

function lastOf({ courses }: Extra): Course {
  const last = courses.at(-1);
  if (!last) throw new RangeError('no course has begun');
  return last;
}

/** The course that runs, changed. */
function changeLast(extra: Extra, change: (course: Course) => Partial<Course>): Extra {
  return {
    ...extra,
    courses: extra.courses.map((course, at, { length }) =>
      at + 1 < length ? course : { ...course, ...change(course) },
    ),
  };
}

async function startOf({ measure, inService, data, onEvaluated }: Candidacy): Promise<Extra> {
  const start = await evaluate(measure, inService, data);
  const chosen: Choice = { arm: null, source: 'in-service', step: 0 };
  onEvaluated?.(chosen, start, inService);
  return { start, best: start, chosen, courses: [] };
}

/**
 * Half new, half replay; where one kind is missing the other fills its place. Both kinds stand on either side of the
 * copy-paste box in turn: what lies near the middle of a slice is shown by the slice inside the box alone. Both arms draw
 * the same labelled slices.
 */
function drawBatch({ plan, data, feed }: Candidacy, arm: RoundArm, step: number) {
  const random = Random.for(plan.seed, 'round', step);
  const { pairs } = feed;
  const { replay, unlabelled } = data;
  const ours = data.corrected.flatMap(({ pieces }) => pieces);
  const theirs = replay.length > 0 ? replay : ours;
  const draw = (from: readonly LabelledSlice[]) => feed.augment(pickLabelled(from, random), random);
  return {
    labelled: Array.from({ length: 2 * pairs }, (_, i) => draw((i + Math.floor(i / pairs)) % 2 === 0 ? ours : theirs)),
    unlabelled: arm === 'uncol' ? Array.from({ length: 2 * pairs }, () => random.pick(unlabelled)) : [],
  };
}

/** A small structure stands in few slices: a share of the draws is of those, as far as there are any. */
function pickLabelled(slices: readonly LabelledSlice[], random: Random): LabelledSlice {
  const wantsForeground = random.next() < roundSettings.foregroundShare;
  const filled = wantsForeground ? slices.filter(hasForeground) : [];
  return random.pick(filled.length > 0 ? filled : slices);
}

async function evaluate(measure: Measure, weights: Float32Array, data: RoundData): Promise<Evaluation> {
  const subjects: number[] = [];
  for (const volume of data.choice) subjects.push(await measure.servedDice(weights, volume));
  return { subjects, corrected: await measure.dice(weights, ...data.corrected.map(({ judged }) => judged)) };
}

function isEvaluated(step: number, steps: number): boolean {
  const { atLeast, everySteps } = roundSettings.evaluations;
  const evaluations = Math.max(atLeast, Math.floor(steps / everySteps));
  return step === steps || step % Math.ceil(steps / evaluations) === 0;
}

/** What a step shows: loss, terms and trust rates. */
export function figuresOf({ loss, terms, trust }: CollaborationProgress): Readonly<Record<string, number>> {
  const trusted = trust
    ? { trustGeneralized: trust.generalized, trustSpecialized: trust.specialized, ignored: trust.ignored }
    : {};
  return { loss, ...terms, ...trusted };
}

function addFigures(sums: Course['sums'], done: CollaborationProgress): Course['sums'] {
  return Object.fromEntries(Object.entries(figuresOf(done)).map(([key, value]) => [key, (sums[key] ?? 0) + value]));
}
