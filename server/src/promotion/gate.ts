import { type ComparedCase, type Comparison, compareVersions, type GateRule } from '../round/compare.ts';
import { meanOf } from '../round/statistics.ts';

export interface GateVerdict {
  readonly passed: boolean;
  /** What is said of the candidate on all sets together; null where it was not compared. */
  readonly word: Comparison['word'] | null;
  /** On the base set. */
  readonly inServiceDice: number;
  readonly candidateDice: number;
  /** The base set first; held-out patients where there are enough of them. */
  readonly comparisons: readonly SetComparison[];
  /** Held-out patients with a correction, and how many are needed for them to judge. */
  readonly heldOut: { readonly patients: number; readonly needed: number };
  /** One or two sentences with their numbers, for panel and log. */
  readonly reason: string;
}

export interface SetComparison extends Comparison {
  readonly set: ComparedCase['set'];
}

/** What a verdict is made of. */
export interface GateEvidence {
  readonly cases: readonly ComparedCase[];
  /** Dice of the candidate on the slices of the corrections that are new in this round; null when none holds anything. */
  readonly newCorrections: number | null;
  /** Most of the new corrections hold nothing, where the version in service shows something. */
  readonly isErasure: boolean;
  /** Whether the candidate is the version in service itself: step 0 was best. */
  readonly isInService: boolean;
}

/** Fewest subjects on which a comparison means anything. */
export const leastGateCases = 10;

/** Share of its Dice on the base subjects that a candidate must reach on the new corrections. */
export const leastAgreement = 0.7;

const setWords: Readonly<Record<ComparedCase['set'], string>> = {
  base: 'generated subjects',
  'held-out': 'held-out patients',
};

/**
 * Whether a candidate may serve. It is held against the version in service on the card's base set always, and on held-out
 * patients when there are ten or more; on each it must break none of the rules (round/compare.ts), and the base set must
 * show that it does not lose more than the margin: ten patients could hardly ever show it, so it is not asked of them. And
 * it must agree with the corrections it has just learnt from: masks that nothing else bears out (mirrored, inverted, of another patient)
 * cannot be learnt beside replay, and a person must look at them. Masks emptied by readers can be learnt all too well, and
 * no number tells false alarms from findings that were lost: where most new corrections are such, a person must look,
 * too. A candidate that is the version in service itself has nothing to offer. Anything that is not a number refuses.
 *
 * @param segments their labels, segment 1 first.
 */
export function judge(
  { cases, newCorrections, isErasure, isInService }: GateEvidence,
  rule: GateRule,
  segments: readonly string[],
): GateVerdict {
  const of = (set: ComparedCase['set']) => cases.filter((row) => row.set === set);
  const [base, patients] = [of('base'), of('held-out')];
  const sets = patients.length >= leastGateCases ? [base, patients] : [base];
  const comparisons = sets.map((rows, at) => ({
    set: at === 0 ? ('base' as const) : ('held-out' as const),
    ...compareVersions(rows, at === 0 ? rule : { ...rule, margin: Number.POSITIVE_INFINITY }, segments),
  }));
  const heldOut = { patients: patients.length, needed: leastGateCases };
  const inServiceDice = meanOf(base.map(({ inService }) => inService.dice));
  const candidateDice = meanOf(base.map(({ candidate }) => candidate.dice));
  const shared = { inServiceDice, candidateDice, comparisons, heldOut };
  const verdict = (passed: boolean, word: GateVerdict['word'], reason: string) => ({ passed, word, ...shared, reason });

  if (base.length < leastGateCases)
    return verdict(false, null, `The base set holds ${base.length} subjects; the gate needs ${leastGateCases}.`);
  if (!comparisons.every((one) => Number.isFinite(one.inServiceDice) && Number.isFinite(one.candidateDice)))
    return verdict(false, null, 'The candidate gives no numbers on the subjects of the gate.');
  const figures = comparisons.map(describeComparison).join('; ');
  if (isInService) return verdict(false, null, `No step of the round was better than its start: ${figures}.`);
  const word = overall(comparisons);
  if (word === 'worse') {
    const faults = comparisons.flatMap(({ set, faults: of }) => of.map((fault) => `${fault} (${setWords[set]})`));
    return verdict(false, word, `Worse than allowed: ${faults.join('; ')}.`);
  }
  if (word === 'unclear') {
    return verdict(
      false,
      word,
      `These subjects cannot tell whether it has lost something: the interval must not reach below -${rule.margin.toFixed(3)}: ${figures}. More corrections may settle it.`,
    );
  }
  if (newCorrections !== null && !(newCorrections >= leastAgreement * candidateDice)) {
    return verdict(
      false,
      word,
      `The new corrections contradict everything else it learnt from: Dice ${newCorrections.toFixed(3)} with them, ${candidateDice.toFixed(3)} with the subjects that never train. Please look at these corrections.`,
    );
  }
  if (isErasure) {
    return verdict(
      false,
      word,
      'Most of the new corrections hold nothing where the version in service shows something: whether false alarms were taken away or findings were lost cannot be told from the subjects that never train. Please look at these corrections.',
    );
  }
  const agreement = newCorrections === null ? '' : ` Dice ${newCorrections.toFixed(3)} with the new corrections.`;
  const patientsHere = `${patients.length} held-out patient${patients.length === 1 ? '' : 's'}`;
  const few = comparisons.length > 1 ? '' : ` Base set only: ${patientsHere}, ${leastGateCases} are needed.`;
  return verdict(true, word, `Passed, ${word}: ${figures}.${agreement}${few}`);
}

/** Whether what passes serves at once where nothing speaks against it (`auto`), or a person decides (`ask`). */
export type Promotion = 'auto' | 'ask';

/**
 * What becomes of a judged candidate. By itself only one serves that is shown to be better: of those that pass as not worse
 * some have lost something, and whether what they have learnt is worth that is for a person to say.
 */
export function concludeVerdict(
  { passed, word, reason }: Pick<GateVerdict, 'passed' | 'word' | 'reason'>,
  promotion: Promotion,
): { readonly outcome: 'promoted' | 'refused' | 'waiting'; readonly reason: string } {
  if (!passed) return { outcome: 'refused', reason };
  if (promotion === 'ask') return { outcome: 'waiting', reason };
  if (word === 'better') return { outcome: 'promoted', reason };
  return { outcome: 'waiting', reason: `${reason} It is not shown to be better: a person decides whether it serves.` };
}

function overall(comparisons: readonly Comparison[]): Comparison['word'] {
  const words = comparisons.map(({ word }) => word);
  return (['worse', 'unclear', 'better'] as const).find((word) => words.includes(word)) ?? 'not worse';
}

function describeComparison({ set, subjects, inServiceDice, candidateDice, gain }: SetComparison): string {
  const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
  const interval = `${signed(gain.mean)}, 95 % interval ${signed(gain.low)} to ${signed(gain.high)}`;
  return `mean Dice ${candidateDice.toFixed(3)} against ${inServiceDice.toFixed(3)} in service (${interval}) on ${subjects} ${setWords[set]} that never train`;
}
