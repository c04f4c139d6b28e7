import type { Shape } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { drawContrast, type TaughtSlice, tokenMaps, vary } from './augment.ts';

/**
 * A window [D,H,W] of a volume as another day would have shown it: mirrored left to right half of the time, with another
 * gamma, gain and a little noise. It is not moved: windows are drawn from all over a volume.
 *
 * @param mirrors whether left and right may be exchanged.
 */
export function augmentWindow(piece: TaughtSlice, space: Shape, random: Random, mirrors: boolean): LabelledSlice {
  const isMirrored = random.next() < 0.5 && mirrors;
  const contrast = drawContrast(random);
  const columns = space.at(-1) ?? 1;
  const from = Int32Array.from(piece.label, (_, at) => (isMirrored ? at - 2 * (at % columns) + columns - 1 : at));
  return {
    image: Float32Array.from(from, (at) => vary(piece.image[at] ?? 0, contrast, random)),
    label: Uint8Array.from(from, (at) => piece.label[at] ?? 0),
    known: Uint8Array.from(from, (at) => piece.known[at] ?? 0),
    ...tokenMaps(piece, { space, from }),
  };
}
