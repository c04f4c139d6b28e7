import type { Calibration } from '../uncol/teachers/calibration.ts';
import type { Choice, RoundArm } from './choice.ts';
import type { ComparedCase } from './compare.ts';

/** What the gate is told. */
export interface RoundOutcome {
  readonly chosen: Choice;
  /** Each subject that never trains under the version in service and under the chosen weights. */
  readonly cases: readonly ComparedCase[];
  /** Dice on the corrected slices, before and after. */
  readonly corrected: { readonly before: number; readonly after: number };
  /** Dice of the chosen weights on the slices of new corrections; null when none of them holds anything. */
  readonly newCorrections: number | null;
  /** Most of the new corrections hold nothing, where the version in service shows something. */
  readonly isErasure: boolean;
  readonly slices: { readonly labelled: number; readonly replay: number; readonly unlabelled: number };
  /** Each way of learning that was tried. */
  readonly arms: readonly ArmOutcome[];
  readonly passedOver: Readonly<Record<string, number>>;
  readonly generalizedTeacher: string;
  /** How the generalized teacher was found to be; null where it was not asked. */
  readonly exam: Calibration | null;
}

/** One way in which a round has learnt. */
export interface ArmOutcome {
  readonly arm: RoundArm;
  /** Its best evaluated weights, whether or not they are better than the version in service. */
  readonly source: 'student' | 'specialized-teacher';
  readonly step: number;
  /** Their mean Dice on the subjects of the choice, and Dice on the slices that readers vouched for. */
  readonly subjects: number;
  readonly corrected: number;
  /** How many it took: it ends when evaluations bring nothing better any more. */
  readonly steps: number;
  /** Of each evaluation the better score of both: mean of the Dice on subjects and on corrected slices. */
  readonly scores: readonly number[];
  /** Means over its steps: loss terms and trust rates. */
  readonly means: Readonly<Record<string, number>>;
}

/** What was compared and what came out best, in words. */
export function describeArms({ arms, chosen }: Pick<RoundOutcome, 'arms' | 'chosen'>): string {
  const said = arms.map(
    ({ arm, subjects, corrected }) =>
      `${armWords[arm]} (Dice ${subjects.toFixed(3)} on generated subjects, ${corrected.toFixed(3)} on corrected slices)`,
  );
  const best = chosen.arm === null ? 'Neither was better than the start.' : `Best: ${armWords[chosen.arm]}.`;
  const [only] = said;
  if (said.length === 1) return `It learned ${only}; there was no unlabelled study to learn from beside them.`;
  return `Two ways of learning were compared: ${said.join(' and ')}. ${best}`;
}

/** How each way of learning is called. */
export const armWords: Readonly<Record<RoundArm, string>> = {
  uncol: 'with unlabelled studies',
  supervised: 'from corrections and replay alone',
};
