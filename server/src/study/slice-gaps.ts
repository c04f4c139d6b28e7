import { AppError } from '../errors/app-error.ts';
import { tolerance } from './tolerance.ts';

/** A slice as its gaps see it. */
export interface GappedSlice {
  /** Position along the normal, mm. */
  readonly alongMm: number;
  /** SliceThickness, mm, where it is told. */
  readonly thicknessMm: number | undefined;
}

/** The step of a stack along the normal, and where its slices lie in steps when their gaps differ. */
export interface SliceSpacing {
  readonly stepMm: number;
  readonly sliceSteps?: readonly number[];
}

/**
 * The spacing of a sorted stack. Where gaps differ, the step is the smallest, so that no slice is passed over between two
 * steps. What is lacking is never bridged: a gap is held against what the slices on both sides account for, which is the
 * smallest gap that repeats, or that gap's share of a greater thickness where slices are thicker. Above one and a half of
 * it, there is room for a slice that is not there.
 *
 * @throws AppError `series-missing-slices`: such a gap, and it is a whole multiple; `series-uneven-spacing`: such a gap, and
 *   it is none, or gaps that differ by more than a factor of 5.
 */
export function spacingOf(slices: readonly GappedSlice[]): SliceSpacing {
  const gaps = gapsOf(slices);
  const usual = median(gaps.map(({ mm }) => mm));
  const length = slices[slices.length - 1]!.alongMm - slices[0]!.alongMm;
  if (isEven(slices, gaps, usual)) return { stepMm: length / gaps.length };
  const rate = smallestRate(gaps);
  checkNoneMissing(gaps, rate);
  const least = Math.min(...gaps.map(({ mm }) => mm));
  const most = Math.max(...gaps.map(({ mm }) => mm));
  const lacks = gaps.some(({ mm, perThicknessMm }) => mm > tolerance.gapShare * rate * perThicknessMm);
  if (!lacks && most <= tolerance.gapRatio * least) {
    return { stepMm: least, sliceSteps: slices.map(({ alongMm }) => (alongMm - slices[0]!.alongMm) / least) };
  }
  throw new AppError(
    'series-uneven-spacing',
    `The gaps between slices run from ${least.toFixed(2)} to ${most.toFixed(2)} mm.`,
    { leastMm: least, mostMm: most, usualMm: usual },
  );
}

interface Gap {
  readonly fromMm: number;
  readonly mm: number;
  /** Mean thickness of the slices on both sides; 1 for all where one slice does not tell its own. */
  readonly perThicknessMm: number;
}

function gapsOf(slices: readonly GappedSlice[]): readonly Gap[] {
  const isTold = slices.every(({ thicknessMm }) => thicknessMm !== undefined);
  return slices.slice(1).map(({ alongMm, thicknessMm }, n) => {
    const before = slices[n]!;
    const perThicknessMm = isTold ? ((before.thicknessMm ?? 0) + (thicknessMm ?? 0)) / 2 : 1;
    return { fromMm: before.alongMm, mm: alongMm - before.alongMm, perThicknessMm };
  });
}

function isEven(slices: readonly GappedSlice[], gaps: readonly Gap[], usual: number): boolean {
  const first = slices[0]!.alongMm;
  const step = (slices[slices.length - 1]!.alongMm - first) / gaps.length;
  const gridLimit = Math.min(tolerance.gridMm, usual / 4);
  return (
    gaps.every(({ mm }) => Math.abs(mm - usual) <= gapLimit(usual)) &&
    slices.every(({ alongMm }, n) => Math.abs(alongMm - (first + n * step)) <= gridLimit)
  );
}

/** Millimetres of gap per millimetre of thickness where a gap repeats, the smallest such; else the median. */
function smallestRate(gaps: readonly Gap[]): number {
  const repeated = gaps.slice(1).flatMap((gap, n) => {
    const before = gaps[n]!;
    const isSame = Math.abs(gap.mm - before.mm) <= gapLimit(gap.mm) && gap.perThicknessMm === before.perThicknessMm;
    return isSame ? [(gap.mm + before.mm) / 2 / gap.perThicknessMm] : [];
  });
  return repeated.length > 0
    ? Math.min(...repeated)
    : median(gaps.map(({ mm, perThicknessMm }) => mm / perThicknessMm));
}

function checkNoneMissing(gaps: readonly Gap[], rate: number): void {
  const missing = gaps.flatMap(({ fromMm, mm, perThicknessMm }) => {
    const expected = rate * perThicknessMm;
    const steps = Math.round(mm / expected);
    // Each step may bring its own rounding.
    if (steps < 2 || Math.abs(mm - steps * expected) > gapLimit(expected) * steps) return [];
    return Array.from({ length: steps - 1 }, (_, n) => fromMm + (mm * (n + 1)) / steps);
  });
  if (missing.length === 0) return;
  const positions = missing.slice(0, 10).map((mm) => Number(mm.toFixed(2)));
  throw new AppError(
    'series-missing-slices',
    `No slice at ${positions.join(', ')} mm along the slice direction (${missing.length} missing).`,
    { missing: missing.length, positionsMm: positions, spacingMm: median(gaps.map(({ mm }) => mm)) },
  );
}

function gapLimit(mm: number): number {
  return Math.min(tolerance.gapMm, mm / 4);
}

/** The middle one of a list that is not empty. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
