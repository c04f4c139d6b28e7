import type { Calibration } from '../uncol/teachers/calibration.ts';

/** A point of the loss curve: means over the steps since the point before. */
export interface LossPoint {
  /** The last of these steps, counted over all phases. */
  readonly step: number;
  readonly loss: number;
  /** Loss terms and trust rates, as the steps name them. Absent in runs that were begun before these were kept. */
  readonly terms?: Readonly<Record<string, number>>;
}

/** Dice of the validation split at a step, by the student's weights and by the specialized teacher's (EMA). */
export interface ValidationPoint {
  readonly step: number;
  readonly student: number;
  readonly ema: number;
}

/** What a training run has seen so far; part of its checkpoint, so it must survive JSON. */
export interface Curve {
  /** Phases done: 0 while the first runs. */
  readonly phase: number;
  readonly bestScore: number;
  /** Counted over all phases. */
  readonly bestStep: number;
  readonly bestSource: 'student' | 'specialized-teacher' | 'none';
  readonly validation: readonly ValidationPoint[];
  readonly losses: readonly LossPoint[];
  /** How the generalized teacher is believed in the phase that runs, where it was examined. */
  readonly calibration?: Calibration;
  /** Sum and count of each figure since the last point of `losses`. */
  readonly window: Readonly<Record<string, readonly [sum: number, count: number]>>;
}

/** About so many points of the loss curve are kept. */
const mostPoints = 500;

const emptyCurve: Curve = {
  phase: 0,
  bestScore: -1,
  bestStep: 0,
  bestSource: 'none',
  validation: [],
  losses: [],
  window: {},
};

/** The curve of a new run, or of one that goes on; a checkpoint from before may lack a part. */
export function startCurve(kept: Partial<Curve> = {}): Curve {
  return { ...emptyCurve, ...kept };
}

/**
 * The curve with one step more. The window is part of it, so a run that goes on from a checkpoint has the same points.
 *
 * @param done step counted over all phases.
 * @param steps of all phases.
 */
export function addStep(
  curve: Curve,
  done: { readonly step: number; readonly loss: number; readonly terms: Readonly<Record<string, number>> },
  steps: number,
): Curve {
  const window = { ...curve.window };
  for (const [name, value] of [['loss', done.loss] as const, ...Object.entries(done.terms)]) {
    const [sum, count] = window[name] ?? [0, 0];
    window[name] = [sum + value, count + 1];
  }
  if (done.step % Math.ceil(steps / mostPoints) !== 0 && done.step !== steps) return { ...curve, window };
  const { loss = Number.NaN, ...terms } = Object.fromEntries(
    Object.entries(window).map(([name, [sum, count]]) => [name, sum / count]),
  );
  return { ...curve, window: {}, losses: [...curve.losses, { step: done.step, loss, terms }] };
}

/** The curve with one validation more, and whether that was the best so far; of equals the first one stays. */
export function addValidation(
  curve: Curve,
  point: ValidationPoint,
): { readonly curve: Curve; readonly improved: boolean } {
  const { step, student, ema } = point;
  const score = Math.max(student, ema);
  const validation = [...curve.validation, point];
  if (!(score > curve.bestScore)) return { curve: { ...curve, validation }, improved: false };
  const bestSource = student >= ema ? 'student' : 'specialized-teacher';
  return { curve: { ...curve, bestScore: score, bestStep: step, bestSource, validation }, improved: true };
}
