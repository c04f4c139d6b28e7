import { meanOf } from '../round/statistics.ts';

/** Dice of one subject of the base set under the version in service and under a candidate. */
export interface GateCase {
  readonly subject: string;
  readonly inService: number;
  readonly candidate: number;
}

export interface GateVerdict {
  readonly passed: boolean;
  readonly inServiceDice: number;
  readonly candidateDice: number;
  /** One sentence with its numbers, for panel and log. */
  readonly reason: string;
}

/** What a verdict is made of. */
export interface GateEvidence {
  readonly cases: readonly GateCase[];
  /** Dice of the candidate on the slices of the corrections that are new in this round; null when none holds anything. */
  readonly newCorrections: number | null;
  /** Whether the candidate is the version in service itself: step 0 was best. */
  readonly isInService: boolean;
}

/** Smallest base set on which a verdict means anything. */
export const leastGateCases = 10;

/** Share of its Dice on the base subjects that a candidate must reach on the new corrections. */
export const leastAgreement = 0.7;

/**
 * Whether a candidate may serve. Its mean Dice over the base set must not lie more than `epsilon` below that of the
 * version in service; and it must agree with the corrections it has just learnt from: masks that nothing else bears out
 * (mirrored, inverted, of another patient) cannot be learnt beside replay, and a person must look at them. A candidate
 * that is the version in service itself has nothing to offer. Anything that is not a number refuses.
 */
export function judge({ cases, newCorrections, isInService }: GateEvidence, epsilon: number): GateVerdict {
  const inServiceDice = meanOf(cases.map((row) => row.inService));
  const candidateDice = meanOf(cases.map((row) => row.candidate));
  const verdict = (passed: boolean, reason: string) => ({ passed, inServiceDice, candidateDice, reason });
  if (cases.length < leastGateCases) {
    return verdict(false, `The base set holds ${cases.length} subjects; the gate needs ${leastGateCases}.`);
  }
  if (!Number.isFinite(inServiceDice) || !Number.isFinite(candidateDice)) {
    return verdict(false, 'The candidate gives no numbers on the base set.');
  }
  const figures = `mean Dice ${candidateDice.toFixed(3)} against ${inServiceDice.toFixed(3)} in service, on ${cases.length} subjects that never train`;
  if (isInService) return verdict(false, `No step of the round was better than its start: ${figures}.`);
  const floor = inServiceDice - epsilon;
  if (candidateDice < floor) {
    return verdict(false, `Worse than allowed: ${figures}; the floor is ${floor.toFixed(3)}.`);
  }
  if (newCorrections !== null && !(newCorrections >= leastAgreement * candidateDice)) {
    return verdict(
      false,
      `The new corrections contradict everything else it learnt from: Dice ${newCorrections.toFixed(3)} with them, ${candidateDice.toFixed(3)} with the subjects that never train. Please look at these corrections.`,
    );
  }
  const agreement = newCorrections === null ? '' : ` Dice ${newCorrections.toFixed(3)} with the new corrections.`;
  return verdict(true, `Passed: ${figures}; the floor is ${floor.toFixed(3)}.${agreement}`);
}
