import { meanOf } from './statistics.ts';

/** Which weights of a round are its candidate; `in-service`: none was better than the start. */
export interface Choice {
  readonly source: 'student' | 'specialized-teacher' | 'in-service';
  readonly step: number;
}

/** Dice of some weights on what a round is judged by. */
export interface Evaluation {
  /** Of each base subject. */
  readonly base: readonly number[];
  /** On the slices that readers vouched for. */
  readonly corrected: number;
}

/** How far the choice of a round is. */
export interface Chosen {
  readonly start: Evaluation;
  readonly best: Evaluation;
  readonly chosen: Choice;
}

/**
 * Whether weights should take the place of the best so far. They must be better than the start, base set and corrected
 * slices counting alike; and weights that hold the base set within `epsilon` of the start go before weights that do not,
 * because the gate would refuse those however well they fit the corrections.
 */
export function isBetter(weights: Evaluation, { start, best, chosen }: Chosen, epsilon: number): boolean {
  if (!(scoreOf(weights) > scoreOf(start))) return false;
  if (chosen.source === 'in-service') return true;
  const holdsBase = ({ base }: Evaluation) => meanOf(base) >= meanOf(start.base) - epsilon;
  if (holdsBase(weights) !== holdsBase(best)) return holdsBase(weights);
  return scoreOf(weights) > scoreOf(best);
}

/** What is not a number never wins. */
function scoreOf({ base, corrected }: Evaluation): number {
  const score = (meanOf(base) + corrected) / 2;
  return Number.isFinite(score) ? score : Number.NEGATIVE_INFINITY;
}
