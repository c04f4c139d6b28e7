import { Random } from '../engine/random.ts';
import { meanOf, sdOf } from '../round/statistics.ts';

/** What a correction says of the version that made the mask. */
export interface Judgement {
  readonly version: number;
  readonly kind: 'edited' | 'accepted';
  /** Dice between the model's own mask and the reader's on the slices vouched for, segment 1 first; null: neither shows it. */
  readonly diceBySegment: readonly (number | null)[];
}

/** How readers agreed with one version. */
export interface VersionQuality {
  readonly version: number;
  readonly corrections: number;
  /** Of them, masks that were accepted as they were. */
  readonly accepted: number;
  /** Over the corrections that show anything, each the mean of its segments; null without one. */
  readonly dice: { readonly mean: number; readonly sd: number } | null;
  /** Segment 1 first; mean null where no correction shows it. */
  readonly segments: readonly { readonly mean: number | null; readonly corrections: number }[];
  /** The latest corrections against those before; null with too few. */
  readonly drift: Drift | null;
}

export interface Drift {
  readonly latest: number;
  readonly before: number;
  /** Share of random orders of the same corrections in which the latest look as bad. */
  readonly p: number;
  readonly isFalling: boolean;
}

/** Corrections that count as the latest, and fewest before them. */
export const driftCorrections = 10;
/** Below this share of random orders a fall is called one. */
const driftLevel = 0.025;
const orders = 2000;

/**
 * Quality of each version, newest first.
 *
 * Drift: the mean Dice of a version's latest ten corrections is held against that of those before, ten or more, by a
 * permutation test; one in forty versions that do not change is said to fall.
 *
 * @param judgements oldest first.
 */
export function qualityOf(judgements: readonly Judgement[]): readonly VersionQuality[] {
  const versions = [...new Set(judgements.map(({ version }) => version))].toSorted((a, b) => b - a);
  return versions.map((version) => {
    const of = judgements.filter((one) => one.version === version);
    const dices = of.flatMap(({ diceBySegment }) => {
      const shown = diceBySegment.filter((dice) => dice !== null);
      return shown.length > 0 ? [meanOf(shown)] : [];
    });
    const segments = Math.max(0, ...of.map(({ diceBySegment }) => diceBySegment.length));
    return {
      version,
      corrections: of.length,
      accepted: of.filter(({ kind }) => kind === 'accepted').length,
      dice: dices.length > 0 ? { mean: meanOf(dices), sd: sdOf(dices) } : null,
      segments: Array.from({ length: segments }, (_, n) => {
        const shown = of.map(({ diceBySegment }) => diceBySegment[n] ?? null).filter((dice) => dice !== null);
        return { mean: shown.length > 0 ? meanOf(shown) : null, corrections: shown.length };
      }),
      drift: driftOf(dices),
    };
  });
}

function driftOf(dices: readonly number[]): Drift | null {
  if (dices.length < 2 * driftCorrections) return null;
  const latest = meanOf(dices.slice(-driftCorrections));
  const random = Random.for(1, 'drift');
  // All together have one mean, so the lower that of the latest, the wider the gap to the others.
  let asBad = 0;
  for (let n = 0; n < orders; n++) if (meanOf(drawn(dices, driftCorrections, random)) <= latest + 1e-12) asBad += 1;
  const p = (asBad + 1) / (orders + 1);
  return {
    latest,
    before: meanOf(dices.slice(0, -driftCorrections)),
    p,
    isFalling: p < driftLevel,
  };
}

/** So many of the values, each at most once. */
function drawn(values: readonly number[], count: number, random: Random): readonly number[] {
  const places = new Set<number>();
  while (places.size < count) places.add(random.int(values.length));
  return [...places].map((place) => values[place] ?? Number.NaN);
}
