import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import { fromHalf, initialState, toHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import type { Card } from '../registry/card.ts';
import { type Student, studentOf } from '../student/architecture.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { collaborationSettingsSchema } from '../uncol/settings.ts';
import { Collaboration, type CollaborationProgress, type Guidance } from '../uncol/stage-two.ts';
import type { Calibration } from '../uncol/teachers/calibration.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { hashWork, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { type Choice, type Chosen, type Evaluation, isBetter } from './choice.ts';
import { hasForeground } from './draw.ts';
import { describeGuidance, guideRound } from './exam.ts';
import { type Feed, type Find, feedOf } from './feed.ts';
import { gatherRound, type RoundData, type RoundSources } from './gather.ts';
import { Measure } from './measure.ts';
import { type RoundPlan, roundSettings } from './plan.ts';

/** What the gate is told. */
export interface RoundOutcome {
  readonly chosen: Choice;
  /** Dice of each base subject under the version in service and under the chosen weights. */
  readonly cases: readonly { readonly subject: string; readonly inService: number; readonly candidate: number }[];
  /** Dice on the corrected slices, before and after. */
  readonly corrected: { readonly before: number; readonly after: number };
  /** Dice of the chosen weights on the slices of new corrections; null when none of them holds anything. */
  readonly newCorrections: number | null;
  readonly slices: { readonly labelled: number; readonly replay: number; readonly unlabelled: number };
  /** Means over the steps: loss terms and trust rates. */
  readonly means: Readonly<Record<string, number>>;
  readonly passedOver: Readonly<Record<string, number>>;
  readonly generalizedTeacher: string;
  /** How the generalized teacher was found to be; null where it was not asked. */
  readonly exam: Calibration | null;
}

/** How far a round is. */
export interface RoundProgress {
  readonly stage: 'gather' | 'train' | 'evaluate';
  readonly percent: number;
  readonly secondsLeft: number | null;
  readonly figures: Readonly<Record<string, number>>;
}

export interface RunSources extends RoundSources {
  readonly teacher: GeneralizedTeacher;
}

export interface RunOptions {
  /** Folder of the round's checkpoint. */
  readonly folder: string;
  readonly onProgress: (progress: RoundProgress) => void;
  readonly signal: AbortSignal;
}

interface Extra extends Chosen {
  readonly sums: Readonly<Record<string, number>>;
}

/**
 * One fine-tuning round (method: stage 2, warm start): student and specialized teacher start from the version in
 * service; half of the labelled slices are readers', half replay; the best evaluated weights, step 0 included (choice.ts),
 * become the candidate. Goes on from its checkpoint and then ends with the same bits.
 *
 * @param inService canonical float32 vector of the version in service.
 * @throws AppError `training-not-finite`, `job-cancelled`, or what reading the corrected series throws.
 */
export async function runRound(
  plan: RoundPlan,
  sources: RunSources,
  engine: Engine,
  inService: Float32Array,
  options: RunOptions,
): Promise<{ readonly outcome: RoundOutcome; readonly weights: Float32Array; readonly tableHash: string }> {
  const { card } = sources;
  const student = studentOf(card.architecture);
  const feed = feedOf(card, roundSettings.warping);
  const { space } = feed;
  const measure = await Measure.create(engine, card);
  try {
    const report = progressOf(plan, options.onProgress);
    const find: Find = (volume) => measure.find(inService, volume);
    const data = await gatherRound(plan, sources, feed, find, report.gathering);
    const settings = settingsOf(plan, feed);
    const guidance = await guideRound(sources.teacher, data, settings, { engine, student, space }, inService);
    // A teacher that is admitted for nothing is asked nothing, and encoding is what it costs.
    if (guidance?.calibration.admitted.some((is) => is)) {
      for (const [at, image] of data.unlabelled.entries()) {
        report.gathering('teacher', at / data.unlabelled.length);
        await sources.teacher.prepare({ image, space });
      }
    }
    const parts = { plan, data, engine, inService, options, measure, student, feed, report, card, guidance };
    return await trainRound(parts);
  } finally {
    await measure.dispose();
  }
}

interface Running {
  readonly plan: RoundPlan;
  readonly data: RoundData;
  readonly engine: Engine;
  readonly inService: Float32Array;
  readonly options: RunOptions;
  readonly measure: Measure;
  readonly student: Student;
  readonly feed: Feed;
  readonly report: ReturnType<typeof progressOf>;
  readonly guidance: Guidance | null;
  readonly card: Card;
}

function settingsOf(plan: RoundPlan, { method }: Feed) {
  return collaborationSettingsSchema.parse({
    ...method,
    totalSteps: plan.steps,
    learningRate: roundSettings.learningRate,
    seed: plan.seed,
  });
}

async function trainRound(running: Running) {
  const { plan, data, engine, inService, options, measure, student, feed, report, guidance, card } = running;
  const settings = settingsOf(plan, feed);
  await mkdir(options.folder, { recursive: true });
  const file = join(options.folder, 'checkpoint.bin');
  const tableHash = measure.tableHash;
  const workSha256 = hashWork({ plan, roundSettings });
  const found = await loadCheckpoint<Extra>(file, tableHash);
  const kept = found?.workSha256 === workSha256 ? found : undefined;
  const shape = { pairs: feed.pairs, space: feed.space, guidance };
  const stage = await Collaboration.create(engine, student, settings, shape, kept?.state ?? initialState(inService));
  try {
    let extra = kept?.extra ?? (await startOf(running));
    let best = kept?.best ?? inService;
    for (let step = kept?.state.step ?? 0; step < plan.steps; ) {
      if (options.signal.aborted) throw new AppError('job-cancelled', `The round was stopped after step ${step}.`);
      const done = await stage.step(drawBatch(running, step));
      step = done.step;
      extra = { ...extra, sums: addFigures(extra.sums, done) };
      report.training(done);
      if (!isEvaluated(step, plan.steps)) continue;
      const state = await stage.state();
      for (const [source, weights] of [
        ['student', state.student],
        ['specialized-teacher', state.ema],
      ] as const) {
        report.evaluating(step);
        // Served weights are fp16, so that is what is measured.
        const rounded = fromHalf(toHalf(weights));
        const evaluation = await evaluate(measure, rounded, data);
        if (!isBetter(evaluation, extra, card.gate.epsilon)) continue;
        extra = { ...extra, best: evaluation, chosen: { source, step } };
        best = rounded;
      }
      await saveCheckpoint(file, tableHash, { workSha256, state, best, extra });
    }
    const fresh = data.corrected.filter(({ isNew }) => isNew).map(({ judged }) => judged);
    const newCorrections = fresh.some(hasForeground) ? await measure.dice(best, ...fresh) : null;
    return { outcome: outcomeOf(running, extra, newCorrections), weights: best, tableHash };
  } finally {
    await stage.dispose();
  }
}

async function startOf({ measure, inService, data }: Running): Promise<Extra> {
  const start = await evaluate(measure, inService, data);
  return { start, best: start, chosen: { source: 'in-service', step: 0 }, sums: {} };
}

/**
 * Half new, half replay; where one kind is missing the other fills its place. Both kinds stand on either side of the
 * copy-paste box in turn: what lies near the middle of a slice is shown by the slice inside the box alone.
 */
function drawBatch({ plan, data, feed }: Running, step: number) {
  const random = Random.for(plan.seed, 'round', plan.roundId, step);
  const { pairs } = feed;
  const { replay, unlabelled } = data;
  const ours = piecesOf(data);
  const theirs = replay.length > 0 ? replay : ours;
  const draw = (from: readonly LabelledSlice[]) => feed.augment(pickLabelled(from, random), random);
  return {
    labelled: Array.from({ length: 2 * pairs }, (_, i) => draw((i + Math.floor(i / pairs)) % 2 === 0 ? ours : theirs)),
    unlabelled: unlabelled.length > 0 ? Array.from({ length: 2 * pairs }, () => random.pick(unlabelled)) : [],
  };
}

function piecesOf({ corrected }: RoundData): readonly LabelledSlice[] {
  return corrected.flatMap(({ pieces }) => pieces);
}

/** A small structure stands in few slices: a share of the draws is of those, as far as there are any. */
function pickLabelled(slices: readonly LabelledSlice[], random: Random): LabelledSlice {
  const wantsForeground = random.next() < roundSettings.foregroundShare;
  const filled = wantsForeground ? slices.filter(hasForeground) : [];
  return random.pick(filled.length > 0 ? filled : slices);
}

async function evaluate(measure: Measure, weights: Float32Array, data: RoundData): Promise<Evaluation> {
  const base: number[] = [];
  for (const { judged } of data.base) base.push(await measure.servedDice(weights, judged));
  return { base, corrected: await measure.dice(weights, ...data.corrected.map(({ judged }) => judged)) };
}

function isEvaluated(step: number, steps: number): boolean {
  return step === steps || step % Math.ceil(steps / roundSettings.evaluations) === 0;
}

function outcomeOf({ plan, data, guidance, card }: Running, extra: Extra, newCorrections: number | null): RoundOutcome {
  const { start, best, chosen, sums } = extra;
  return {
    chosen,
    cases: data.base.map(({ seed }, i) => ({
      subject: `base-${seed}`,
      inService: start.base[i] ?? Number.NaN,
      candidate: best.base[i] ?? Number.NaN,
    })),
    newCorrections,
    corrected: { before: start.corrected, after: best.corrected },
    slices: { labelled: piecesOf(data).length, replay: data.replay.length, unlabelled: data.unlabelled.length },
    means: Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, sum / plan.steps])),
    passedOver: data.passedOver,
    exam: guidance?.calibration ?? null,
    generalizedTeacher: describeGuidance(guidance, card.segments),
  };
}

function figuresOf({ loss, terms, trust }: CollaborationProgress): Readonly<Record<string, number>> {
  const trusted = trust
    ? { trustGeneralized: trust.generalized, trustSpecialized: trust.specialized, ignored: trust.ignored }
    : {};
  return { loss, ...terms, ...trusted };
}

function addFigures(
  sums: Readonly<Record<string, number>>,
  done: CollaborationProgress,
): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(figuresOf(done)).map(([key, value]) => [key, (sums[key] ?? 0) + value]));
}

/** Share of a round that gathering, with the teacher's encodings, takes; training with its evaluations is the rest. */
const gatherPercent = 25;

function progressOf(plan: RoundPlan, onProgress: (progress: RoundProgress) => void) {
  const parts = ['corrections', 'unlabelled', 'replay', 'teacher'];
  let firstStep: { readonly step: number; readonly at: number } | undefined;
  const percentAt = (step: number) => gatherPercent + ((100 - gatherPercent) * step) / plan.steps;
  return {
    gathering(part: string, share: number) {
      const percent = (gatherPercent / parts.length) * (parts.indexOf(part) + share);
      onProgress({ stage: 'gather', percent, secondsLeft: null, figures: {} });
    },
    training(done: CollaborationProgress) {
      firstStep ??= { step: done.step, at: performance.now() };
      const steps = done.step - firstStep.step;
      const perStep = (performance.now() - firstStep.at) / 1000 / Math.max(1, steps);
      onProgress({
        stage: 'train',
        percent: percentAt(done.step),
        secondsLeft: steps > 0 ? Math.round(perStep * (plan.steps - done.step)) : null,
        figures: { step: done.step, steps: plan.steps, ...figuresOf(done) },
      });
    },
    evaluating(step: number) {
      onProgress({
        stage: 'evaluate',
        percent: percentAt(step),
        secondsLeft: null,
        figures: { step, steps: plan.steps },
      });
    },
  };
}
