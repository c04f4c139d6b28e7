import type { LabelledVolume } from './labelled-volume.ts';

/** One slice of a subject on which a segment did badly. */
export interface Failure {
  /** Without PHI. */
  readonly subject: string;
  readonly segment: number;
  /** Of the whole subject. */
  readonly dice: number;
  /** Number of the slice on the network's grid. */
  readonly slice: number;
  readonly columns: number;
  /** `[row, column]` float32 in [0, 1]. */
  readonly image: Float32Array;
  /** 1 in the segment, `[row, column]` uint8. */
  readonly truth: Uint8Array;
  readonly mask: Uint8Array;
}

/** So many subjects are kept of each segment. */
const keptSubjects = 3;

/** Keeps of each segment the subjects with the lowest Dice, as they come by; the first of equals. */
export class Failures {
  readonly #kept = new Map<number, readonly Failure[]>();

  /** The worst first, segment by segment in the order in which they were seen. */
  get worst(): readonly Failure[] {
    return [...this.#kept.values()].flat();
  }

  /** Looks at one segment of a measured subject. @param labels of the mask, on the grid of the volume. */
  see(subject: string, segment: number, dice: number, volume: LabelledVolume, labels: Uint8Array): void {
    const kept = this.#kept.get(segment) ?? [];
    const last = kept.at(-1);
    if (last && kept.length >= keptSubjects && dice >= last.dice) return;
    const failure = { subject, segment, dice, ...worstSlice(volume, labels, segment) };
    const worst = [...kept, failure].sort((a, b) => a.dice - b.dice).slice(0, keptSubjects);
    this.#kept.set(segment, worst);
  }
}

/** The slice with most pixels that truth and mask do not share. */
function worstSlice(
  { grid, image, label, known }: LabelledVolume,
  labels: Uint8Array,
  segment: number,
): Pick<Failure, 'slice' | 'columns' | 'image' | 'truth' | 'mask'> {
  const [columns, rows] = grid.size;
  const pixels = columns * rows;
  const wrong = new Uint32Array(grid.size[2]);
  const isIn = (value: number | undefined, n: number): number => Number(value === segment && known[n] === 1);
  for (let n = 0; n < labels.length; n++) {
    if (isIn(labels[n], n) !== isIn(label[n], n)) wrong[Math.floor(n / pixels)]! += 1;
  }
  const slice = wrong.indexOf(wrong.reduce((most, count) => Math.max(most, count), 0));
  const from = slice * pixels;
  const cut = (of: Uint8Array) => of.slice(from, from + pixels).map((value, n) => isIn(value, from + n));
  return { slice, columns, image: image.slice(from, from + pixels), truth: cut(label), mask: cut(labels) };
}
