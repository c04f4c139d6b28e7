import type { Engine, Shape } from '../../engine/ops.ts';
import type { Student } from '../../student/architecture.ts';
import { gateProgram } from '../../uncol/collaborate.ts';
import type { LabelledSlice } from '../../uncol/feed.ts';
import type { ImageSize } from '../../uncol/inputs.ts';
import { trustThreshold } from '../../uncol/schedule.ts';
import type { CollaborationSettings } from '../../uncol/settings.ts';
import type { Guidance } from '../../uncol/stage-two.ts';
import { consultTeachers } from '../../uncol/teachers/consult.ts';
import { SpecializedTeacher } from '../../uncol/teachers/specialized.ts';

/** How right the pseudo labels are that unlabelled slices would get, and whether what is left out deserves it. */
export interface PseudoLabelQuality {
  /** Pooled over all trusted pixels, mean over the classes that label or truth shows there; null when there is none. */
  readonly dice: number | null;
  /** Share of all pixels that teach nothing. */
  readonly ignored: number;
  /** Share of wrong pixels near the border of the pseudo label, on slices and pixels that teach. NaN without any. */
  readonly keptBandError: number;
  /** The same where nothing is taught: by the slice gate, or by the pixel gate. NaN without any. */
  readonly ignoredBandError: number;
}

/** Pixels of the border band lie this far from another label, along rows and columns. */
const bandPx = 2;
const pairs = 4;

/**
 * Judges the pseudo labels of unlabelled slices by their truth, which training does not see.
 *
 * @param weights of the specialized teacher.
 * @param progress 0..1, how far the schedule of the threshold is.
 */
export async function judgePseudoLabels(
  engine: Engine,
  student: Student,
  slices: readonly LabelledSlice[],
  space: Shape,
  guidance: Guidance,
  settings: CollaborationSettings,
  weights: Float32Array,
  progress = 1,
): Promise<PseudoLabelQuality> {
  const size = { classes: student.classes, space };
  const gate = await engine.predictor(gateProgram(student, { pairs, space }, settings));
  const specialized = await SpecializedTeacher.of(engine, student, { batch: 2 * pairs, space }, weights);
  const tally = new Tally(size);
  const range = { start: settings.trustStart, end: settings.trustEnd };
  try {
    for (let first = 0; first < slices.length; first += 2 * pairs) {
      const part = slices.slice(first, first + 2 * pairs);
      // The last part is filled up with its first slice, which is then not counted again.
      const filled = Array.from({ length: 2 * pairs }, (_, n) => part[n] ?? part[0]).filter(
        (slice) => slice !== undefined,
      );
      const teachers = { specialized, generalized: guidance.teacher, calibration: guidance.calibration };
      const images = filled.map(({ image }) => image);
      const { unlabelled: _, ...asked } = await consultTeachers(teachers, images, size, settings);
      const { label, trusted } = await gate.run(new Float32Array(), {
        ...asked,
        temperature: Float32Array.from(guidance.calibration.temperature),
        threshold: Float32Array.of(trustThreshold(progress, 1, range)),
      });
      if (!label || !trusted) throw new RangeError('the gate gave no label');
      for (const [n, slice] of part.entries()) tally.add(slice, label, trusted, n);
    }
  } finally {
    await specialized.dispose();
    await gate.dispose();
  }
  return tally.quality();
}

class Tally {
  readonly #size: ImageSize;
  readonly #classes: { both: number; sum: number }[];
  readonly #band = { kept: { wrong: 0, all: 0 }, ignored: { wrong: 0, all: 0 } };
  #ignored = 0;
  #pixels = 0;

  constructor(size: ImageSize) {
    this.#size = size;
    this.#classes = Array.from({ length: size.classes }, () => ({ both: 0, sum: 0 }));
  }

  /** The n-th slice of a batch. */
  add({ label: truth }: LabelledSlice, label: Float32Array, trusted: Float32Array, n: number): void {
    const { classes, space } = this.#size;
    const [height = 0, width = 0] = space;
    const pixels = height * width;
    const found = Uint8Array.from({ length: pixels }, (_, at) => {
      for (let c = 1; c < classes; c++) if (label[(n * classes + c) * pixels + at] === 1) return c;
      return 0;
    });
    for (let at = 0; at < pixels; at++) {
      const isTrusted = trusted[n * pixels + at] === 1;
      const [given, wanted] = [found[at] ?? 0, truth[at] ?? 0];
      this.#pixels += 1;
      if (!isTrusted) this.#ignored += 1;
      if (isNearBorder(found, at, height, width)) {
        const band = isTrusted ? this.#band.kept : this.#band.ignored;
        band.all += 1;
        if (given !== wanted) band.wrong += 1;
      }
      if (!isTrusted) continue;
      for (const [c, count] of this.#classes.entries()) {
        count.sum += Number(given === c) + Number(wanted === c);
        if (given === c && wanted === c) count.both += 1;
      }
    }
  }

  quality(): PseudoLabelQuality {
    const scores = this.#classes.slice(1).flatMap(({ both, sum }) => (sum === 0 ? [] : [(2 * both) / sum]));
    const { kept, ignored } = this.#band;
    return {
      dice: scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length,
      ignored: this.#ignored / Math.max(1, this.#pixels),
      keptBandError: kept.wrong / kept.all,
      ignoredBandError: ignored.wrong / ignored.all,
    };
  }
}

function isNearBorder(labels: Uint8Array, at: number, height: number, width: number): boolean {
  const [row, column] = [Math.floor(at / width), at % width];
  const own = labels[at];
  for (let step = 1; step <= bandPx; step++) {
    if (row >= step && labels[at - step * width] !== own) return true;
    if (row + step < height && labels[at + step * width] !== own) return true;
    if (column >= step && labels[at - step] !== own) return true;
    if (column + step < width && labels[at + step] !== own) return true;
  }
  return false;
}
