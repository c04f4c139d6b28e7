import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type GateVerdict, judge } from '../../server/src/promotion/gate.ts';
import type { SliceCard } from '../../server/src/registry/card.ts';
import { type Choice, type Chosen, type Evaluation, isBetter, type RoundArm } from '../../server/src/round/choice.ts';
import type { RoundOutcome } from '../../server/src/round/outcome.ts';
import { runRound } from '../../server/src/round/run.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { sizes, type World } from './rounds-world.ts';
import { planInMemory, type SaidOf, type ShiftedSubject } from './shifted-subjects.ts';

/** A round to be played. */
export interface RoundOf {
  readonly seed: number;
  readonly corrections: readonly SaidOf[];
  readonly uncorrected: readonly ShiftedSubject[];
  /** The first version unless given. */
  readonly inService?: Float32Array;
  readonly teacher?: GeneralizedTeacher;
  /** Without it a round learns from the corrections alone. */
  readonly hasReplay?: boolean;
}

/** Weights that would be offered to the gate. */
export interface Candidate {
  readonly choice: Choice;
  readonly weights: Float32Array;
  readonly of: Evaluation;
}

/** A round and what else it might have offered. */
export interface Played {
  readonly outcome: RoundOutcome;
  readonly candidate: Candidate;
  readonly verdict: GateVerdict;
  /** What each arm would have offered without the other. */
  readonly arms: ReadonlyMap<RoundArm, Candidate>;
  /** The student of the last step of each arm: what a round without a choice would offer. */
  readonly last: ReadonlyMap<RoundArm, Candidate>;
  readonly seconds: number;
}

/** Plays a round by the server's own code, and asks the gate. */
export async function playRound(world: World, round: RoundOf): Promise<Played> {
  const { engine, colin, card, recipe, weights: first } = world.parts;
  const { seed, corrections, uncorrected, inService = first, teacher = abstainingTeacher('None is set.') } = round;
  const of = { seed, steps: sizes.roundSteps, unlabelledSlices: uncorrected.length > 0 ? sizes.unlabelledSlices : 0 };
  const { plan, ...memory } = planInMemory(of, corrections, uncorrected);
  const sources = { ...memory, colin, card, teacher, recipe: round.hasReplay === false ? forget(recipe) : recipe };
  const folder = await mkdtemp(join(world.parts.folder, 'round-'));
  const offers = new Offers(card);
  const started = performance.now();
  try {
    const { outcome, weights } = await runRound(plan, sources, engine, inService, {
      folder,
      onProgress: () => undefined,
      signal: new AbortController().signal,
      onEvaluated: (choice, evaluation, seen) => offers.add({ choice, of: evaluation, weights: seen }),
    });
    const seconds = (performance.now() - started) / 1000;
    const evidence = { ...outcome, isInService: outcome.chosen.source === 'in-service' };
    const verdict = judge(evidence, card.gate, labelsOf(card));
    const candidate = offers.find(weights);
    return { outcome, candidate, verdict, arms: offers.arms, last: offers.last, seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the gate would say of other weights of a round that had one correction. */
export async function judgeCandidate(
  world: World,
  { choice, weights, of }: Candidate,
  { newCorrections, isErasure }: Pick<RoundOutcome, 'newCorrections' | 'isErasure'>,
  inService = world.parts.weights,
): Promise<GateVerdict> {
  const evidence = {
    cases: await world.compare(inService, weights),
    newCorrections: newCorrections === null ? null : of.corrected,
    isErasure,
    isInService: choice.source === 'in-service',
  };
  const { card } = world.parts;
  return judge(evidence, card.gate, labelsOf(card));
}

/** Which rule decided. */
export function whyOf({ passed, word, reason }: GateVerdict, { source }: Choice): string {
  if (passed) return 'no rule broken';
  if (source === 'in-service') return 'nothing better than the start';
  if (word === 'worse') return 'worse on the base set';
  if (word === 'unclear') return 'not shown to be no worse';
  if (word === null) return 'no numbers';
  return reason.includes('contradict') ? 'contradicts the corrections' : 'only takes away';
}

function labelsOf(card: SliceCard): readonly string[] {
  return card.segments.map(({ label }) => label);
}

/** The recipe without any subject to replay. */
function forget<T extends { readonly labelled: object }>(recipe: T): T {
  return { ...recipe, labelled: { ...recipe.labelled, seeds: { from: 1, to: 0 } } };
}

/** Sorts what a round evaluates, the choice of the server made for each arm alone. */
class Offers {
  readonly arms = new Map<RoundArm, Candidate>();
  readonly last = new Map<RoundArm, Candidate>();
  readonly #all: Candidate[] = [];
  readonly #epsilon: number;

  constructor({ gate }: SliceCard) {
    this.#epsilon = gate.epsilon;
  }

  add(candidate: Candidate): void {
    const start = this.#all[0] ?? candidate;
    this.#all.push(candidate);
    const { arm, source } = candidate.choice;
    if (arm === null) return;
    if (source === 'student') this.last.set(arm, candidate);
    const best = this.arms.get(arm) ?? start;
    const chosen: Chosen = { start: start.of, best: best.of, chosen: best.choice };
    this.arms.set(arm, isBetter(candidate.of, chosen, this.#epsilon) ? candidate : best);
  }

  find(weights: Float32Array): Candidate {
    const found = this.#all.find((candidate) => candidate.weights === weights);
    if (!found) throw new RangeError('a round offers what it has not evaluated');
    return found;
  }
}
