import { Random } from '../../engine/random.ts';
import { product } from '../../student/layers.ts';
import type { LabelledSlice } from '../feed.ts';
import type { ImageSize } from '../inputs.ts';
import { decide, type Prompts, promptsOfAnswer, promptsOfTruth } from '../prompts.ts';
import type { CollaborationSettings } from '../settings.ts';
import type { GeneralizedTeacher } from './generalized.ts';

/** How the generalized teacher is asked and believed, by foreground class, class 1 first. */
export interface Calibration {
  /** T, by which mask logits are divided (eq. 16). */
  readonly temperature: readonly number[];
  /** Growth of the boxes, share of the frame's side; of no use in 3D. */
  readonly margin: readonly number[];
  /** Whether it may teach the class. */
  readonly admitted: readonly boolean[];
  /** What that rests on; empty where nothing was measured. */
  readonly evidence: readonly ClassEvidence[];
}

/** Mean Dice over labelled slices that show a class. */
export interface ClassEvidence {
  /** Slices (in 3D windows) on which the specialized teacher found the class, so that there was a prompt to ask with. */
  readonly slices: number;
  /** The generalized teacher, prompted as it will be: by the specialized one. Null without slices. */
  readonly generalized: number | null;
  /** The specialized teacher itself, on the same slices. Null without slices. */
  readonly specialized: number | null;
  /** The generalized teacher with boxes round the truth, or clicks in it. Null when no labelled slice shows the class. */
  readonly trueBoxes: number | null;
}

/** A labelled slice of the exam. */
export interface ExamSlice extends LabelledSlice {
  /**
   * [space...], what the specialized teacher is shown in place of `image`: on slices that it has learnt by heart it looks
   * better than it is, so those are shown turned and with another contrast.
   */
  readonly seen: Float32Array;
  /** Moves p_S [C,space...] of `seen` to the pixels of `image`; absent where they are the same. */
  readonly restore?: (probabilities: Float32Array) => Float32Array;
}

type Rule = Pick<CollaborationSettings, 'foundationProb' | 'admission' | 'promptMargin' | 'promptComponents'>;

/** Without an exam: as published. */
export function uncalibrated(classes: number, { promptMargin }: Pick<Rule, 'promptMargin'>): Calibration {
  const each = <T>(value: T) => everyClass(value, { classes });
  return { temperature: each(1), margin: each(promptMargin), admitted: each(true), evidence: [] };
}

/** As `uncalibrated`, and admitted for nothing. */
export function refused(classes: number, rule: Pick<Rule, 'promptMargin'>): Calibration {
  return { ...uncalibrated(classes, rule), admitted: everyClass(false, { classes }) };
}

function everyClass<T>(value: T, { classes }: Pick<ImageSize, 'classes'>): T[] {
  return Array.from({ length: classes - 1 }, () => value);
}

/** Margins and temperatures tried. */
const margins = [0, 0.01, 0.02, 0.03] as const;
const temperatures = [0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8] as const;
/** An admission rests on this many slices at least, a class on a slice on this many pixels. */
const fewestSlices = 3;
const fewestPixels = 12;
/** A mask with less than this Dice is wrong in most of what it says, so being better than nothing is not enough. */
const leastDice = 0.5;

/**
 * Examines the generalized teacher on labelled images. Margin: the one with the best Dice with boxes round the truth.
 * In 3D there is nothing to choose: a click has no margin.
 * Temperature: least cross-entropy. Admission: better than the specialized teacher *under the prompts it will get*, and
 * right in most of its mask; where that cannot be measured it is not admitted.
 *
 * @param askSpecialized p_S of images, [N,C,space...].
 */
export async function calibrate(
  teacher: GeneralizedTeacher,
  askSpecialized: (slices: readonly Float32Array[]) => Promise<Float32Array>,
  exam: readonly ExamSlice[],
  size: ImageSize,
  rule: Rule,
): Promise<Calibration> {
  const wanted = rule.foundationProb === 'calibrated' || rule.admission;
  if (!wanted || exam.length === 0) return (rule.admission ? refused : uncalibrated)(size.classes, rule);
  const pixels = product(size.space);
  const answer = await askSpecialized(exam.map(({ seen }) => seen));
  const perSlice = size.classes * pixels;
  const examined = exam.map((slice, n) => {
    const given = answer.subarray(n * perSlice, (n + 1) * perSlice);
    const probabilities = slice.restore?.(given) ?? given;
    return { slice, probabilities, found: decide(probabilities, size.classes, pixels) };
  });
  const verdicts: (ClassEvidence & { margin: number; temperature: number })[] = [];
  for (let label = 1; label < size.classes; label++) {
    verdicts.push(await examineClass(teacher, examined, label, size, rule));
  }
  return {
    temperature: verdicts.map((v) => (rule.foundationProb === 'calibrated' ? v.temperature : 1)),
    margin: verdicts.map((v) => (rule.foundationProb === 'calibrated' ? v.margin : rule.promptMargin)),
    admitted: verdicts.map((v) => !rule.admission || isBetter(v)),
    evidence: verdicts.map(({ slices, generalized, specialized, trueBoxes }) => ({
      slices,
      generalized,
      specialized,
      trueBoxes,
    })),
  };
}

function isBetter({ slices, generalized, specialized }: ClassEvidence): boolean {
  if (generalized === null || specialized === null) return false;
  return slices >= fewestSlices && generalized > specialized && generalized >= leastDice;
}

interface Examined {
  readonly slice: ExamSlice;
  /** p_S, [C,space...]. */
  readonly probabilities: Float32Array;
  /** The class indices that it decided, [space...]. */
  readonly found: Uint8Array;
}

async function examineClass(
  teacher: GeneralizedTeacher,
  examined: readonly Examined[],
  label: number,
  size: ImageSize,
  rule: Rule,
) {
  const shown = examined.filter(({ slice }) => countOf(slice.label, label) >= fewestPixels);
  const ask = ({ slice }: Examined, prompts: Prompts) =>
    teacher.ask({ image: slice.image, space: size.space, prompts: [prompts[label - 1] ?? []] });
  const boxes = (margin: number) => ({ margin: everyClass(margin, size), components: rule.promptComponents });

  let best = { margin: rule.promptMargin, dice: null as number | null, logits: [] as (Float32Array | null)[] };
  for (const margin of size.space.length === 2 ? margins : [rule.promptMargin]) {
    const logits: (Float32Array | null)[] = [];
    for (const [n, one] of shown.entries()) {
      const random = Random.for(n, 'exam');
      logits.push(await ask(one, promptsOfTruth(one.slice.label, size, boxes(margin), random)));
    }
    const dice = mean(shown.map(({ slice }, n) => diceOf(isInside(logits[n]), slice, label)));
    if (dice !== null && dice > (best.dice ?? -1)) best = { margin, dice, logits };
  }

  const prompted: { slice: ExamSlice; logits: Float32Array; found: Uint8Array }[] = [];
  for (const one of shown) {
    const logits = await ask(one, promptsOfAnswer(one.probabilities, size, boxes(best.margin)));
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

/** Null of nothing. */
function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
