/** What the decision to start a round depends on. */
export interface RoundFacts {
  /** Corrections of the model, not held out, that no round has used yet. */
  readonly unusedCorrections: number;
  /** A round of this model is queued or running. */
  readonly roundOpen: boolean;
}

export interface RoundDecision {
  readonly start: boolean;
  /** Corrections still missing; 0 when a round starts or runs. */
  readonly missing: number;
}

/** A round starts with every `correctionsPerRound`-th correction that none has used, unless one is open. */
export function decideRound(facts: RoundFacts, correctionsPerRound: number): RoundDecision {
  const missing = Math.max(0, correctionsPerRound - facts.unusedCorrections);
  return { start: missing === 0 && !facts.roundOpen, missing };
}
