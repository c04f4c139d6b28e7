import type { Engine } from '../engine/ops.ts';
import { studentOf } from '../student/architecture.ts';
import { collaborationSettingsSchema } from '../uncol/settings.ts';
import type { CollaborationProgress } from '../uncol/stage-two.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { armsOf, type Course, type Extra, figuresOf, type OnEvaluated, trainCandidates } from './candidates.ts';
import type { RoundArm } from './choice.ts';
import type { ComparedCase } from './compare.ts';
import { hasForeground } from './draw.ts';
import { describeGuidance, guideRound } from './exam.ts';
import { type Feed, type Find, feedOf } from './feed.ts';
import { gatherRound, type RoundData, type RoundSources } from './gather.ts';
import { Measure, scoresOf } from './measure.ts';
import type { ArmOutcome, RoundOutcome } from './outcome.ts';
import { type RoundPlan, roundSettings } from './plan.ts';
import { meanOf } from './statistics.ts';
import { WorstCases } from './worst-cases.ts';

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
  readonly onEvaluated?: OnEvaluated;
}

/**
 * One fine-tuning round (method: stage 2, warm start): student and specialized teacher start from the version in
 * service; half of the labelled slices are readers', half replay. What unlabelled studies add is not taken on trust: the
 * round learns with and without them, and the best evaluated weights, step 0 included (choice.ts), become the candidate.
 * Goes on from its checkpoint and then ends with the same bits.
 *
 * @param inService canonical float32 vector of the version in service.
 * @throws AppError `training-not-finite`, `training-collapsed`, `job-cancelled`, or what reading the corrected series throws.
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
    const { extra, weights } = await trainCandidates({
      ...{ plan, data, engine, inService, measure, student, feed, settings, guidance },
      ...{ epsilon: card.gate.epsilon, folder: options.folder, signal: options.signal },
      onEvaluated: options.onEvaluated,
      ...report.candidates(armsOf(guidance)),
    });
    const cases = await compareCases(
      measure,
      data.judges,
      { inService, candidate: weights },
      sources.blobs,
      report.judging,
    );
    const outcome = {
      ...outcomeOf(data, extra),
      cases,
      ...(await askNew(measure, data, inService, weights)),
      exam: guidance?.calibration ?? null,
      generalizedTeacher: describeGuidance(guidance, card.segments),
    };
    return { outcome, weights, tableHash: measure.tableHash };
  } finally {
    await measure.dispose();
  }
}

function settingsOf(plan: RoundPlan, { method }: Feed) {
  return collaborationSettingsSchema.parse({
    ...method,
    totalSteps: plan.steps,
    learningRate: roundSettings.learningRate,
    seed: plan.seed,
  });
}

/** Both versions on every subject of the gate, with pictures of the worst. */
async function compareCases(
  measure: Measure,
  judges: RoundData['judges'],
  { inService, candidate }: Readonly<Record<'inService' | 'candidate', Float32Array>>,
  blobs: RoundSources['blobs'],
  onCase: (share: number) => void,
): Promise<readonly ComparedCase[]> {
  const cases: ComparedCase[] = [];
  const worst = new WorstCases();
  for (const { judged: make, ...of } of judges) {
    const judged = make();
    const before = await measure.serve(inService, judged);
    // No step was better than the start: then there is nothing else to measure.
    const after = candidate === inService ? before : await measure.serve(candidate, judged);
    const compared = { ...of, inService: scoresOf(before, judged), candidate: scoresOf(after, judged) };
    cases.push(compared);
    onCase(cases.length / judges.length);
    worst.see({ compared, judged, inService: before.labels, candidate: after.labels });
  }
  const pictures = await worst.draw(blobs);
  return cases.map((compared) => ({ ...compared, ...pictures.get(compared) }));
}

/** What the gate is told of the corrections that are new. */
async function askNew(
  measure: Measure,
  { corrected }: RoundData,
  inService: Float32Array,
  candidate: Float32Array,
): Promise<Pick<RoundOutcome, 'newCorrections' | 'isErasure'>> {
  const fresh = corrected.filter(({ isNew }) => isNew).map(({ judged }) => judged);
  let erased = 0;
  // Where nothing is wanted, a mask that holds anything has a Dice of 0.
  for (const judged of fresh)
    erased += Number(!hasForeground(judged) && (await measure.servedDice(inService, judged)) < 1);
  return {
    newCorrections: fresh.some(hasForeground) ? await measure.dice(candidate, ...fresh) : null,
    isErasure: 2 * erased > fresh.length,
  };
}

function outcomeOf(data: RoundData, { start, best, chosen, courses }: Extra) {
  const labelled = data.corrected.reduce((sum, { pieces }) => sum + pieces.length, 0);
  return {
    chosen,
    corrected: { before: start.corrected, after: best.corrected },
    slices: { labelled, replay: data.replay.length, unlabelled: data.unlabelled.length },
    arms: courses.flatMap(armOutcome),
    passedOver: data.passedOver,
  };
}

function armOutcome({ arm, sums, steps, scores, best }: Course): readonly ArmOutcome[] {
  if (!best) return [];
  const { source, step, of } = best;
  const means = Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, sum / steps]));
  return [{ arm, source, step, subjects: meanOf(of.subjects), corrected: of.corrected, steps, scores, means }];
}

/** Shares of a round that gathering, with the teacher's encodings, and the gate take; training with its evaluations is the rest. */
const gatherPercent = 25;
const judgePercent = 15;

function progressOf(plan: RoundPlan, onProgress: (progress: RoundProgress) => void) {
  const parts = ['corrections', 'unlabelled', 'replay', 'held-out', 'teacher'];
  return {
    gathering(part: string, share: number) {
      const percent = (gatherPercent / parts.length) * (parts.indexOf(part) + share);
      onProgress({ stage: 'gather', percent, secondsLeft: null, figures: {} });
    },
    judging(share: number) {
      const percent = 100 - judgePercent * (1 - share);
      onProgress({ stage: 'evaluate', percent, secondsLeft: null, figures: {} });
    },
    /** Of the candidates, as if every step to come took as long as those before it. */
    candidates(arms: readonly RoundArm[]) {
      const reached = new Map<RoundArm, number>();
      /** Steps done, and all of them: an arm that ended early takes no more than it took. */
      const count = (arm: RoundArm, step: number) => {
        reached.set(arm, step);
        const at = arms.indexOf(arm);
        const before = arms.slice(0, at).reduce((sum, one) => sum + (reached.get(one) ?? plan.steps), 0);
        return { step: before + step, steps: before + (arms.length - at) * plan.steps };
      };
      const percentOf = ({ step, steps }: { readonly step: number; readonly steps: number }) =>
        gatherPercent + ((100 - gatherPercent - judgePercent) * step) / steps;
      let first: { readonly step: number; readonly at: number } | undefined;
      return {
        onStep(arm: RoundArm, progress: CollaborationProgress) {
          const done = count(arm, progress.step);
          first ??= { step: done.step, at: performance.now() };
          const perStep = (performance.now() - first.at) / 1000 / Math.max(1, done.step - first.step);
          onProgress({
            stage: 'train',
            percent: percentOf(done),
            secondsLeft: done.step > first.step ? Math.round(perStep * (done.steps - done.step)) : null,
            figures: { ...done, ...figuresOf(progress) },
          });
        },
        onEvaluation(arm: RoundArm, step: number) {
          const done = count(arm, step);
          onProgress({ stage: 'evaluate', percent: percentOf(done), secondsLeft: null, figures: done });
        },
      };
    },
  };
}
