import { diceOf } from '../labelmap/metrics.ts';
import type { Splits } from './data/splits.ts';
import { type Failure, Failures } from './failures.ts';
import type { Measure } from './measure.ts';
import { meanOf, sdOf } from './statistics.ts';

/** A whole test subject under the weights that serve. */
export interface TestRow {
  /** Without PHI. */
  readonly subject: string;
  /** Mean over the segments; one that is neither in truth nor mask counts 1. */
  readonly dice: number;
  /** Of each segment of the card, in its order; null where neither truth nor mask has it. */
  readonly diceBySegment: readonly (number | null)[];
}

/** How a segment did over the test subjects that have it; null where there are too few of them to say. */
export interface SegmentSpread {
  readonly number: number;
  readonly label: string;
  /** In which truth or mask have it. */
  readonly subjects: number;
  readonly mean: number | null;
  /** Of the sample. */
  readonly sd: number | null;
  readonly least: number | null;
  readonly most: number | null;
}

/** What the test split shows. */
export interface Tested {
  readonly rows: readonly TestRow[];
  /** Empty unless the split is generated: a site's images go into no report. */
  readonly failures: readonly Failure[];
}

/** Measures the test split, subject by subject, as it would be served. @param weights canonical float32 vector. */
export async function measureTest(
  measure: Measure,
  weights: Float32Array,
  splits: Splits,
  onSubject: (row: TestRow) => void,
): Promise<Tested> {
  const rows: TestRow[] = [];
  const failures = new Failures();
  for await (const { name, volume } of splits.test()) {
    const served = await measure.serve(weights, volume);
    const diceBySegment = served.overlaps.map((overlap) => (overlap.a + overlap.b === 0 ? null : diceOf(overlap)));
    const dice = meanOf(served.overlaps.map(diceOf));
    const row = { subject: name, dice, diceBySegment };
    rows.push(row);
    onSubject(row);
    if (!splits.isGenerated('test')) continue;
    for (const [at, found] of diceBySegment.entries()) {
      if (found !== null) failures.see(name, at + 1, found, volume, served.labels);
    }
  }
  return { rows, failures: failures.worst };
}

/** The spread of each segment of a card over the test subjects. */
export function spreadBySegment(
  segments: readonly { readonly number: number; readonly label: string }[],
  rows: readonly TestRow[],
): readonly SegmentSpread[] {
  return segments.map(({ number, label }, at) => {
    const dice = rows.flatMap(({ diceBySegment }) => diceBySegment[at] ?? []);
    const subjects = dice.length;
    if (subjects === 0) return { number, label, subjects, mean: null, sd: null, least: null, most: null };
    const sd = subjects > 1 ? sdOf(dice) : null;
    return { number, label, subjects, mean: meanOf(dice), sd, least: Math.min(...dice), most: Math.max(...dice) };
  });
}

/** The same as a sentence for the card. */
export function describeSpread(spread: readonly SegmentSpread[]): string {
  const each = spread.map(({ label, subjects, mean, sd, least, most }) => {
    if (mean === null || least === null || most === null) return `${label}: in no subject`;
    const of = sd === null ? '' : `sd ${sd.toFixed(3)}, `;
    return `${label} ${mean.toFixed(3)} (${of}${least.toFixed(3)} to ${most.toFixed(3)}, n = ${subjects})`;
  });
  return `Dice of test subjects: ${each.join('; ')}.`;
}
