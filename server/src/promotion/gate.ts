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

/** Smallest base set on which a verdict means anything. */
export const leastGateCases = 10;

/**
 * Whether a candidate may serve: its mean Dice over the base set must not lie more than `epsilon` below that of the
 * version in service. A candidate that is the version in service itself (step 0 was best) has nothing to offer and is
 * refused. Anything that is not a number refuses.
 */
export function judge(cases: readonly GateCase[], epsilon: number, isInService: boolean): GateVerdict {
  const inServiceDice = mean(cases.map((row) => row.inService));
  const candidateDice = mean(cases.map((row) => row.candidate));
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
  return verdict(true, `Passed: ${figures}; the floor is ${floor.toFixed(3)}.`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
