import type { LabelledSlice } from '../feed.ts';
import { boxesOf, decide, type PromptRule, type SliceSize } from '../prompts.ts';
import type { CollaborationSettings } from '../settings.ts';
import type { GeneralizedTeacher } from './generalized.ts';

/** How the generalized teacher is asked and believed, by foreground class, class 1 first. */
export interface Calibration {
  /** T, by which mask logits are divided (eq. 16). */
  readonly temperature: readonly number[];
  /** Growth of the boxes, share of the frame's side. */
  readonly margin: readonly number[];
  /** Whether it may teach the class. */
  readonly admitted: readonly boolean[];
  /** What that rests on; empty where nothing was measured. */
  readonly evidence: readonly ClassEvidence[];
}

/** Mean Dice over labelled slices that show a class. */
export interface ClassEvidence {
  /** Slices on which the specialized teacher found the class, so that there was a box to ask with. */
  readonly slices: number;
  /** The generalized teacher, prompted as it will be: with boxes of the specialized one. NaN without slices. */
  readonly generalized: number;
  /** The specialized teacher itself, on the same slices. NaN without slices. */
  readonly specialized: number;
  /** The generalized teacher with boxes round the truth. NaN when no labelled slice shows the class. */
  readonly trueBoxes: number;
}

/** A labelled slice of the exam. */
export interface ExamSlice extends LabelledSlice {
  /**
   * [H,W], what the specialized teacher is shown in place of `image`: on slices that it has learnt by heart it looks
   * better than it is, so those are shown with another contrast.
   */
  readonly seen: Float32Array;
}

type Rule = Pick<CollaborationSettings, 'foundationProb' | 'admission' | 'promptMargin' | 'promptComponents'>;

/** Without an exam: as published. */
export function uncalibrated(classes: number, { promptMargin }: Pick<Rule, 'promptMargin'>): Calibration {
  const each = <T>(value: T): T[] => Array.from({ length: classes - 1 }, () => value);
  return { temperature: each(1), margin: each(promptMargin), admitted: each(true), evidence: [] };
}

/** Margins and temperatures tried. */
const margins = [0, 0.01, 0.02, 0.03] as const;
const temperatures = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8] as const;
/** An admission rests on this many slices at least, a class on a slice on this many pixels. */
const fewestSlices = 3;
const fewestPixels = 12;

/**
 * Examines the generalized teacher on labelled slices. Margin: the one with the best Dice with boxes round the truth.
 * Temperature: least cross-entropy. Admission: better than the specialized teacher *under the prompts it will get*; where
 * that cannot be measured it is not admitted.
 *
 * @param askSpecialized p_S of slices, [N,C,H,W].
 */
export async function calibrate(
  teacher: GeneralizedTeacher,
  askSpecialized: (slices: readonly Float32Array[]) => Promise<Float32Array>,
  exam: readonly ExamSlice[],
  size: SliceSize,
  rule: Rule,
): Promise<Calibration> {
  const start = uncalibrated(size.classes, rule);
  const wanted = rule.foundationProb === 'calibrated' || rule.admission;
  if (!wanted || exam.length === 0)
    return rule.admission ? { ...start, admitted: start.admitted.map(() => false) } : start;
  const pixels = size.height * size.width;
  const answer = await askSpecialized(exam.map(({ seen }) => seen));
  const perSlice = size.classes * pixels;
  const examined = exam.map((slice, n) => ({
    slice,
    found: decide(answer.subarray(n * perSlice, (n + 1) * perSlice), size.classes, pixels),
  }));
  const verdicts: (ClassEvidence & { margin: number; temperature: number })[] = [];
  for (let label = 1; label < size.classes; label++) {
    verdicts.push(await examineClass(teacher, examined, label, size, rule));
  }
  return {
    temperature: verdicts.map((v) => (rule.foundationProb === 'calibrated' ? v.temperature : 1)),
    margin: verdicts.map((v) => (rule.foundationProb === 'calibrated' ? v.margin : rule.promptMargin)),
    admitted: verdicts.map((v) => !rule.admission || (v.slices >= fewestSlices && v.generalized > v.specialized)),
    evidence: verdicts.map(({ slices, generalized, specialized, trueBoxes }) => ({
      slices,
      generalized,
      specialized,
      trueBoxes,
    })),
  };
}

interface Examined {
  readonly slice: ExamSlice;
  /** Class indices of the specialized teacher, [H,W]. */
  readonly found: Uint8Array;
}

async function examineClass(
  teacher: GeneralizedTeacher,
  examined: readonly Examined[],
  label: number,
  size: SliceSize,
  rule: Rule,
) {
  const shown = examined.filter(({ slice }) => countOf(slice.label, label) >= fewestPixels);
  const ask = (labels: Uint8Array, { slice }: Examined, margin: number) =>
    askOne(teacher, labels, slice, label, size, { margin: [margin], components: rule.promptComponents });

  let best = { margin: rule.promptMargin, dice: Number.NaN, logits: [] as (Float32Array | null)[] };
  for (const margin of margins) {
    const logits: (Float32Array | null)[] = [];
    for (const one of shown) logits.push(await ask(one.slice.label, one, margin));
    const dice = mean(shown.map(({ slice }, n) => diceOf(isInside(logits[n]), slice, label)));
    if (dice > best.dice || Number.isNaN(best.dice)) best = { margin, dice, logits };
  }

  const prompted: { slice: ExamSlice; logits: Float32Array; found: Uint8Array }[] = [];
  for (const one of shown) {
    const logits = await ask(one.found, one, best.margin);
    if (logits) prompted.push({ slice: one.slice, logits, found: one.found });
  }
  const fitted =
    prompted.length >= fewestSlices ? prompted : shown.map(({ slice }, n) => ({ slice, logits: best.logits[n] }));
  return {
    slices: prompted.length,
    generalized: mean(prompted.map(({ slice, logits }) => diceOf(isInside(logits), slice, label))),
    specialized: mean(prompted.map(({ slice, found }) => diceOf((at) => found[at] === label, slice, label))),
    trueBoxes: best.dice,
    margin: best.margin,
    temperature: fitTemperature(fitted, label),
  };
}

/** Logits of one class prompted with boxes round `labels`, [H,W]; null where there are none. */
async function askOne(
  teacher: GeneralizedTeacher,
  labels: Uint8Array,
  { image }: ExamSlice,
  label: number,
  size: SliceSize,
  prompts: PromptRule,
): Promise<Float32Array | null> {
  const ofClass = labels.map((value) => Number(value === label));
  const [boxes] = boxesOf(ofClass, { ...size, classes: 2 }, prompts);
  return teacher.ask({ image, height: size.height, width: size.width, boxes: [boxes ?? []] });
}

/** The temperature with the least cross-entropy of sigmoid(logit / T) over the vouched-for pixels. */
function fitTemperature(
  answers: readonly { readonly slice: ExamSlice; readonly logits?: Float32Array | null | undefined }[],
  label: number,
): number {
  const costs = temperatures.map((temperature) => {
    let cost = 0;
    for (const { slice, logits } of answers) {
      for (const [at, logit] of logits?.entries() ?? []) {
        if (slice.known[at] !== 1) continue;
        // log(1 + e^-z) of the logit turned towards the truth.
        const z = ((slice.label[at] === label ? 1 : -1) * logit) / temperature;
        cost += z > 0 ? Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)) - z;
      }
    }
    return cost;
  });
  const least = costs.reduce((at, cost, n) => (cost < (costs[at] ?? 0) ? n : at), 0);
  return answers.some(({ logits }) => logits) ? (temperatures[least] ?? 1) : 1;
}

const isInside = (logits: Float32Array | null | undefined) => (at: number) => (logits?.[at] ?? -1) > 0;

function diceOf(isFound: (at: number) => boolean, { label: truth, known }: LabelledSlice, label: number): number {
  let both = 0;
  let sum = 0;
  for (const [at, value] of truth.entries()) {
    if (known[at] !== 1) continue;
    const found = isFound(at);
    sum += Number(found) + Number(value === label);
    if (found && value === label) both += 1;
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}

function countOf(labels: Uint8Array, label: number): number {
  return labels.reduce((count, value) => count + Number(value === label), 0);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
