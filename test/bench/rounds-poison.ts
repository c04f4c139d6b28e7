import { Random } from '../../server/src/engine/random.ts';
import type { SaidOf, ShiftedSubject } from './shifted-subjects.ts';

/** What a reader, or a fault between reader and server, may make of a mask. */
export const poisons = ['shifted', 'flipped', 'empty', 'random', 'swapped'] as const;
export type Poison = (typeof poisons)[number];

/** Columns that a shifted mask lies off: 32 mm. */
const shiftPx = 16;

/**
 * A correction whose masks are wrong on every approved slice: 32 mm off; mirrored left to right; empty; a disc of the
 * lesion's size anywhere else in the frame, slice by slice; foreground and background exchanged.
 */
export function poisonMasks(
  poison: Poison,
  { series, truth }: ShiftedSubject,
  approved: ReadonlySet<number>,
  seed: number,
): SaidOf['labels'] {
  const [columns, rows] = series.volume.geometry.size;
  const random = Random.for(seed, 'poison', poison);
  const labels = new Uint8Array(truth.length);
  for (const k of approved) {
    const slice = truth.subarray(k * columns * rows, (k + 1) * columns * rows);
    labels.set(poisonSlice(poison, slice, columns, random), k * columns * rows);
  }
  return labels;
}

function poisonSlice(poison: Poison, slice: Uint8Array, columns: number, random: Random): Uint8Array {
  const fromColumn = (source: (column: number) => number) =>
    slice.map((_, at) => slice[at - (at % columns) + source(at % columns)] ?? 0);
  switch (poison) {
    case 'shifted':
      return fromColumn((column) => (column + shiftPx) % columns);
    case 'flipped':
      return fromColumn((column) => columns - 1 - column);
    case 'empty':
      return new Uint8Array(slice.length);
    case 'swapped':
      return slice.map((label) => 1 - label);
    case 'random':
      return drawDisc(slice, columns, random);
  }
}

/** As large as the lesion is in the slice, and not on it. */
function drawDisc(slice: Uint8Array, columns: number, random: Random): Uint8Array {
  const area = slice.reduce((sum, label) => sum + label, 0);
  for (;;) {
    const [column, row] = [random.uniform(0, columns), random.uniform(0, slice.length / columns)];
    const disc = slice.map((_, at) => {
      const squared = ((at % columns) - column) ** 2 + (Math.floor(at / columns) - row) ** 2;
      return Math.PI * squared < area ? 1 : 0;
    });
    if (!disc.some((label, at) => label === 1 && slice[at] === 1)) return disc;
  }
}
