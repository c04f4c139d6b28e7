import { interval95, meanOf, medianOf } from './statistics.ts';

/** How one version did on one subject or patient, against the truth. */
export interface CaseScores {
  /** Mean over the segments. */
  readonly dice: number;
  /** Segment 1 first; so are the other lists. */
  readonly diceBySegment: readonly number[];
  /** Segments that stand in the truth and not in the mask. */
  readonly missed: number;
  /** Null where truth or mask lack the segment. */
  readonly hausdorff95MmBySegment: readonly (number | null)[];
}

/** One subject under the version in service and under a candidate. */
export interface ComparedCase {
  /** No patient's name: `base-30050`, `held-out-1`. */
  readonly subject: string;
  /** Generated subjects of the card, or patients of the site whose corrections never train. */
  readonly set: 'base' | 'held-out';
  readonly inService: CaseScores;
  readonly candidate: CaseScores;
  /** Blob of an SVG: the slice on which the candidate did worst, of the cases in which it lost most. */
  readonly picture?: string;
}

/** What a candidate may lose at most; stands in the card before the round begins. */
export interface GateRule {
  /** Of the mean Dice. */
  readonly epsilon: number;
  /** The interval of the gain in mean Dice may not reach lower than this much below 0: what it lost must be shown to be less. */
  readonly margin: number;
  /** Of the mean Dice of any one segment. */
  readonly segmentEpsilon: number;
  /** Of the 95th percentile Hausdorff distance, mm, median over subjects and segments. */
  readonly hausdorffMm: number;
}

/** Two versions on one set of subjects. */
export interface Comparison {
  readonly subjects: number;
  readonly inServiceDice: number;
  readonly candidateDice: number;
  /** Candidate - in service: mean Dice, with its 95 % interval over the subjects, by Student's t. NaN of fewer than two. */
  readonly gain: { readonly mean: number; readonly low: number; readonly high: number };
  /**
   * `better`: the interval lies above 0, and the mean gain is more than may be lost (`epsilon`). `not worse`: it lies above -margin. `unclear`: it reaches below, so these subjects
   * cannot tell. `worse`: a rule is broken.
   */
  readonly word: 'better' | 'not worse' | 'unclear' | 'worse';
  /** Rules that the candidate breaks, one sentence each with its numbers. */
  readonly faults: readonly string[];
}

/**
 * Holds a candidate against the version in service, subject by subject. A candidate that is no better in truth is called
 * better in at most 5 % of comparisons, and one that loses as much as the margin passes in at most 5 %, as far as the
 * subjects are like those to come.
 *
 * @param segments their labels, segment 1 first.
 */
export function compareVersions(
  cases: readonly ComparedCase[],
  rule: GateRule,
  segments: readonly string[],
): Comparison {
  const gains = cases.map(({ inService, candidate }) => candidate.dice - inService.dice);
  const inServiceDice = meanOf(cases.map(({ inService }) => inService.dice));
  const candidateDice = meanOf(cases.map(({ candidate }) => candidate.dice));
  const gain = { mean: meanOf(gains), ...intervalOf(gains) };
  const faults = [
    ...meanFault(inServiceDice, candidateDice, rule),
    ...segments.flatMap((label, n) => segmentFault(cases, label, n, rule)),
    ...missFault(cases),
    ...distanceFault(cases, rule),
  ];
  const word = faults.length > 0 ? 'worse' : wordOf(gain, rule);
  return { subjects: cases.length, inServiceDice, candidateDice, gain, word, faults };
}

/** Of fewer than two subjects there is no interval, and nothing to be unclear about. */
function wordOf({ mean, low }: Comparison['gain'], { epsilon, margin }: GateRule): 'better' | 'not worse' | 'unclear' {
  // Weights that were only shaken gain or lose a thousandth on all subjects alike: sure, and nothing to anybody.
  if (low > 0 && mean > epsilon) return 'better';
  return low < -margin ? 'unclear' : 'not worse';
}

/** What is not a number breaks the rule. */
function meanFault(inService: number, candidate: number, { epsilon }: GateRule): readonly string[] {
  if (candidate - inService >= -epsilon) return [];
  return [`mean Dice ${figure(candidate)} against ${figure(inService)}, the floor is ${figure(inService - epsilon)}`];
}

function segmentFault(
  cases: readonly ComparedCase[],
  label: string,
  n: number,
  { segmentEpsilon }: GateRule,
): readonly string[] {
  const mean = (of: 'inService' | 'candidate') => meanOf(cases.map((row) => row[of].diceBySegment[n] ?? Number.NaN));
  const [before, after] = [mean('inService'), mean('candidate')];
  if (after - before >= -segmentEpsilon) return [];
  return [`${label}: Dice ${figure(after)} against ${figure(before)}, the floor is ${figure(before - segmentEpsilon)}`];
}

function missFault(cases: readonly ComparedCase[]): readonly string[] {
  const count = (of: 'inService' | 'candidate') => cases.reduce((sum, row) => sum + row[of].missed, 0);
  const [before, after] = [count('inService'), count('candidate')];
  return after > before ? [`${after} structures missed altogether, ${before} by the version in service`] : [];
}

/** Only where both versions have a distance: what one of them lacks is a miss or an error of Dice already. */
function distanceFault(cases: readonly ComparedCase[], { hausdorffMm }: GateRule): readonly string[] {
  const changes = cases.flatMap(({ inService, candidate }) =>
    inService.hausdorff95MmBySegment.flatMap((before, n) => {
      const after = candidate.hausdorff95MmBySegment[n] ?? null;
      return before === null || after === null ? [] : [after - before];
    }),
  );
  const change = medianOf(changes);
  return change > hausdorffMm ? [`outlines lie ${change.toFixed(1)} mm further off (95th percentile)`] : [];
}

/**
 * Student's t, because a gate may have ten or twelve subjects: percentiles of a bootstrap over so few are a seventh narrower,
 * and called 4 to 6 % of candidates without any gain better, 0.6 to 2 % by this (simulated, gains normal or with jumps).
 */
function intervalOf(gains: readonly number[]): { readonly low: number; readonly high: number } {
  return gains.length < 2 ? { low: Number.NaN, high: Number.NaN } : interval95(gains);
}

function figure(value: number): string {
  return value.toFixed(3);
}
