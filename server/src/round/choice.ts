import { meanOf } from './statistics.ts';

/**
 * The ways in which a round learns, each from the version in service: `uncol`, from corrections, replay and unlabelled
 * studies (method: stage 2); `supervised`, from corrections and replay alone, which fits them a little closer.
 */
export const roundArms = ['uncol', 'supervised'] as const;
export type RoundArm = (typeof roundArms)[number];

/** Weights that a round has evaluated. */
export interface Weights {
  readonly arm: RoundArm;
  readonly source: 'student' | 'specialized-teacher';
  readonly step: number;
}

/** Which weights of a round are its candidate; `in-service`: none was better than the start. */
export type Choice = Weights | { readonly arm: null; readonly source: 'in-service'; readonly step: 0 };

/** Dice of some weights on what a round is judged by. */
export interface Evaluation {
  /** Of each subject drawn for the choice. The gate's subjects play no part in it. */
  readonly subjects: readonly number[];
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
 * Whether weights should take the place of the best so far. They must be better than the start, subjects and corrected
 * slices counting alike; and weights that hold the subjects within `epsilon` of the start go before weights that do not,
 * because the gate would most likely refuse those however well they fit the corrections.
 */
export function isBetter(weights: Evaluation, { start, best, chosen }: Chosen, epsilon: number): boolean {
  if (!(scoreOf(weights) > scoreOf(start))) return false;
  if (chosen.source === 'in-service') return true;
  const holds = ({ subjects }: Evaluation) => meanOf(subjects) >= meanOf(start.subjects) - epsilon;
  if (holds(weights) !== holds(best)) return holds(weights);
  return scoreOf(weights) > scoreOf(best);
}

/** Whether the latest evaluations, as many as `patience`, brought nothing better than those before. */
export function hasStalled(scores: readonly number[], patience: number): boolean {
  const before = scores.slice(0, -patience);
  return before.length > 0 && Math.max(...scores.slice(-patience)) <= Math.max(...before);
}

/** Mean of both; what is not a number never wins. */
export function scoreOf({ subjects, corrected }: Evaluation): number {
  const score = (meanOf(subjects) + corrected) / 2;
  return Number.isFinite(score) ? score : Number.NEGATIVE_INFINITY;
}
