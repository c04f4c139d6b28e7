import { concludeVerdict } from '../../server/src/promotion/gate.ts';
import { interval95, meanOf } from '../../server/src/round/statistics.ts';
import type { GeneralizedTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import type { Row } from './record.ts';
import { type Candidate, type Played, whyOf } from './rounds-play.ts';
import { type Domain, sizes, type World } from './rounds-world.ts';
import { chooseApproved, type ShiftedSubject } from './shifted-subjects.ts';

/** In the order in which they are run. */
export const experiments = ['poison', 'a-a', 'new-contrast', 'old-domain', 'stream'] as const;
export type Experiment = (typeof experiments)[number];

/** One round, or one comparison, whose rows are kept together. */
export interface Job {
  readonly experiment: Experiment;
  readonly seed: number;
  /** Unlike any other. */
  readonly name: string;
  readonly needsTeacher?: boolean;
  /** @param teacher where one is needed. */
  play(world: World, teacher?: GeneralizedTeacher): Promise<readonly Row[]>;
}

/** Seeds of a run's subjects: the corrected one, and others of its kind that nobody corrects. */
export function cast(world: World, first: number, domain: Domain) {
  const others = Array.from({ length: sizes.unlabelledSubjects }, (_, n) => world.subject(first + 1 + n, domain));
  return { corrected: world.subject(first, domain), others };
}

/** So many approved slices, three of five through the lesion. */
export function approve(subject: ShiftedSubject, slices: number): ReadonlySet<number> {
  const lesion = Math.ceil(0.6 * slices);
  return chooseApproved(subject, { lesion, rest: slices - lesion });
}

/**
 * Two versions on the subjects that nothing else is made of: their mean Dice on a kind of subject, and on the old domain
 * with the 95 % interval of the change over subjects.
 */
export async function heldOutFigures(
  world: World,
  [before, after]: readonly [Float32Array, Float32Array],
  domain: Domain,
  isPromoted: boolean,
  unseen: number = sizes.unseen.count,
): Promise<Row> {
  const count = isPromoted ? sizes.old.ofPromoted : sizes.old.count;
  const of = (weights: Float32Array, kind: Domain) => world.heldOut(weights, kind, kind === 'base' ? count : unseen);
  const [oldBefore, oldAfter] = [await of(before, 'base'), await of(after, 'base')];
  const { low, high } = interval95(oldAfter.map((dice, n) => dice - (oldBefore[n] ?? Number.NaN)));
  return {
    unseenBefore: round4(meanOf(await of(before, domain))),
    unseenAfter: round4(meanOf(await of(after, domain))),
    ...{ oldSubjects: count, oldBefore: round4(meanOf(oldBefore)), oldAfter: round4(meanOf(oldAfter)) },
    ...{ oldLow: round4(low), oldHigh: round4(high) },
  };
}

/** As records hold Dice. */
export function round4(value: number): number {
  return Number(value.toFixed(4));
}

/** What was decided, and on what. */
export function decisionOf({ verdict, candidate: { choice }, seconds }: Played): Row {
  return {
    verdict: concludeVerdict(verdict, 'auto').outcome,
    word: verdict.word,
    why: whyOf(verdict, choice),
    ...describeBase(verdict),
    chosen: describeChoice(choice),
    seconds: Math.round(seconds),
  };
}

/** Mean Dice of both versions on the base set. */
export function describeBase(verdict: { readonly inServiceDice: number; readonly candidateDice: number }): Row {
  return { baseBefore: round4(verdict.inServiceDice), baseAfter: round4(verdict.candidateDice) };
}

/** Which weights. */
export function describeChoice({ arm, source, step }: Candidate['choice']): string {
  return arm === null ? source : `${arm} ${source} ${step}`;
}
