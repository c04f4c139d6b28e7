import type { Shape } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';
import { drawScene } from '../sample/scene.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { TaughtSlice } from './augment.ts';

/** What is drawn from; the keys of a recipe. */
export interface Picking {
  /**
   * Every other time first a foreground class is drawn and then a piece that shows it on known pixels: structures that
   * few slices show are seen as often as those that most do.
   */
  readonly drawsByClass?: boolean | undefined;
  /** Share of pictures of nothing, all background, from which a student learns what its structures do not look like. */
  readonly sceneShare?: number | undefined;
}

/** Draws pieces of a pool, each as likely where `picking` says nothing else. @param space of a piece. */
export function picker(
  pool: readonly TaughtSlice[],
  { drawsByClass = false, sceneShare = 0 }: Picking,
  space: Shape,
): (random: Random) => TaughtSlice {
  const byClass = drawsByClass ? piecesByClass(pool) : [];
  return (random) => {
    if (sceneShare > 0 && random.next() < sceneShare) return emptyScene(space, random);
    return random.pick(byClass.length > 0 && random.next() < 0.5 ? random.pick(byClass) : pool);
  };
}

/** The pieces that show a foreground class on known pixels, class by class. */
function piecesByClass(pool: readonly TaughtSlice[]): readonly (readonly TaughtSlice[])[] {
  const showing = new Map<number, TaughtSlice[]>();
  for (const piece of pool) {
    const shown = new Set(piece.label.filter((_, pixel) => piece.known[pixel] === 1));
    for (const label of shown) {
      if (label === 0) continue;
      const pieces = showing.get(label) ?? [];
      pieces.push(piece);
      showing.set(label, pieces);
    }
  }
  return [...showing].toSorted(([a], [b]) => a - b).map(([, pieces]) => pieces);
}

function emptyScene(space: Shape, random: Random): LabelledSlice {
  const image = drawScene(space, random);
  return { image, label: new Uint8Array(image.length), known: new Uint8Array(image.length).fill(1) };
}
