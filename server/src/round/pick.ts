import type { Random } from '../engine/random.ts';
import type { LabelledSlice } from '../uncol/feed.ts';

/**
 * Draws pieces of a pool, each as likely; or, `byClass`, every other time first a foreground class and then a piece
 * that shows it on known pixels. Structures that few slices show are then seen as often as those that most do.
 */
export function picker<T extends LabelledSlice>(pool: readonly T[], byClass: boolean): (random: Random) => T {
  const showing = new Map<number, T[]>();
  for (const piece of byClass ? pool : []) {
    const shown = new Set(piece.label.filter((_, pixel) => piece.known[pixel] === 1));
    for (const label of shown) {
      if (label === 0) continue;
      const pieces = showing.get(label) ?? [];
      pieces.push(piece);
      showing.set(label, pieces);
    }
  }
  const classes = [...showing].toSorted(([a], [b]) => a - b).map(([, pieces]) => pieces);
  if (classes.length === 0) return (random) => random.pick(pool);
  return (random) => random.pick(random.next() < 0.5 ? random.pick(classes) : pool);
}
