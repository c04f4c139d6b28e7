import { Random } from '../engine/random.ts';
import type { CaseOrder } from './case.ts';

/** What the orders ask of a case. */
export interface OrderedCase {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly studyDate: string | null;
  /** Whether its newest mask shows anything. */
  readonly isFound: boolean;
  /** By the version in service; null when it has not segmented the case. */
  readonly scores: {
    /** Of the mask as a whole, 0 sure .. 1 unsure. */
    readonly whole: number;
    /** Near each segment, segment 1 first; null: not found and not expected. */
    readonly bySegment: readonly (number | null)[];
  } | null;
}

/** What makes a draw: the same gives the same order, on every machine and at every poll. */
export interface OrderSeed {
  readonly model: string;
  /** In service. */
  readonly version: number;
  /** Rounds of the model that are done. */
  readonly rounds: number;
}

/** What is left of the noise after each round: the longer a model has learnt, the more its doubts are worth. */
const noiseKept = 0.7;

/**
 * Cases in the order in which to read them.
 *
 * `uncertainty`: segments take turns, each with the case it is least sure of among those not yet taken, so that a segment
 * seen rarely or of which the network is always sure is read as often as any other. The scores carry noise that decays
 * with the rounds: an untrained network does not know what it does not know, and the same few doubts again and again
 * teach little. Both ideas are those of ClaSP-PE (arXiv 2601.13677). Masks without any segment follow, the doubtful ones
 * first, then what has no score, drawn.
 *
 * `random`: drawn, cases in which something was found first (foreground-aware random of nnActive, arXiv 2511.19183).
 *
 * `worklist`: the newest study first, those without a date last.
 */
export function orderCases<Case extends OrderedCase>(
  order: CaseOrder,
  cases: readonly Case[],
  seed: OrderSeed,
): readonly Case[] {
  if (order === 'worklist') return cases.toSorted(byDate);
  const drawn = cases.map((studyCase) => ({ studyCase, ...drawFor(studyCase, seed) })).sort(byLot);
  if (order === 'random') {
    const [found, empty] = split(drawn, ({ studyCase }) => studyCase.isFound);
    return [...found, ...empty].map(({ studyCase }) => studyCase);
  }
  return byUncertainty(drawn, noiseKept ** seed.rounds).map(({ studyCase }) => studyCase);
}

/** A case with the two numbers drawn for it. */
interface Drawn<Case> {
  readonly studyCase: Case;
  /** Uniform in [0, 1). */
  readonly lot: number;
  /** Normal, mean 0, standard deviation 1. */
  readonly noise: number;
}

function drawFor({ seriesInstanceUid }: OrderedCase, { model, version }: OrderSeed) {
  const random = Random.for(0, model, version, seriesInstanceUid);
  return { lot: random.next(), noise: random.normal() };
}

/** Takes them in the order of the lots, so that ties stay drawn. */
function byUncertainty<Case extends OrderedCase>(drawn: readonly Drawn<Case>[], amplitude: number): Drawn<Case>[] {
  const [scored, unscored] = split(drawn, ({ studyCase }) => studyCase.scores !== null);
  const segments = Math.max(0, ...scored.map(({ studyCase }) => studyCase.scores?.bySegment.length ?? 0));
  // One pass over the cases, then columns of numbers: they lie scattered, and a pass for each segment took twice as long.
  const columns = Array.from({ length: segments }, () => new Float64Array(scored.length).fill(Number.NaN));
  const whole = Float64Array.from(scored, ({ studyCase }) => studyCase.scores?.whole ?? Number.NaN);
  const noise = Float64Array.from(scored, (each) => each.noise * amplitude);
  for (const [n, { studyCase }] of scored.entries())
    for (const [segment, column] of columns.entries()) column[n] = studyCase.scores?.bySegment[segment] ?? Number.NaN;
  const taken = takeInTurn(columns.map((column) => leastSureFirst(column, noise)));
  const rest = leastSureFirst(
    whole.map((score, n) => (taken.has(n) ? Number.NaN : score)),
    noise,
  );
  return [...[...taken, ...rest].flatMap((n) => scored[n] ?? []), ...unscored];
}

/** Indices of the scores that are numbers, by score and the noise that their spread allows, the greatest first. */
function leastSureFirst(scores: Float64Array, noise: Float64Array): readonly number[] {
  const scale = spreadOf(scores.filter((score) => !Number.isNaN(score)));
  const keys = scores.map((score, n) => score + scale * (noise[n] ?? 0));
  const indices = [...keys.keys()].filter((n) => !Number.isNaN(keys[n]));
  return indices.sort((a, b) => keys[b]! - keys[a]!);
}

/** One of each queue in turn, none twice; a set keeps the order. */
function takeInTurn<T>(queues: readonly (readonly T[])[]): ReadonlySet<T> {
  const taken = new Set<T>();
  const takeOne = (queue: Iterator<T>): boolean => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      if (taken.has(next.value)) continue;
      taken.add(next.value);
      return true;
    }
    return false;
  };
  let open = queues.map((queue) => queue.values());
  while (open.length > 0) open = open.filter(takeOne);
  return taken;
}

/** Standard deviation; 0 of fewer than two values. */
function spreadOf(values: Float64Array): number {
  if (values.length < 2) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function split<T>(items: readonly T[], isFirst: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function byLot<Case extends OrderedCase>(a: Drawn<Case>, b: Drawn<Case>): number {
  return a.lot - b.lot || compare(a.studyCase.seriesInstanceUid, b.studyCase.seriesInstanceUid);
}

function byDate(a: OrderedCase, b: OrderedCase): number {
  return compare(b.studyDate ?? '', a.studyDate ?? '') || compare(a.studyInstanceUid, b.studyInstanceUid);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
