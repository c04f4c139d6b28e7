/** Steepness of the Gaussian ramp; the paper uses no other. */
const steepness = 5;

/** Gaussian ramp-up from exp(-5) to 1 (eq. 13): exp(-5 (1 - t/length)^2), constant outside 0..length. */
export function ramp(t: number, length: number): number {
  const missing = 1 - Math.min(Math.max(t / length, 0), 1);
  return Math.exp(-steepness * missing * missing);
}

/**
 * Trust threshold tau of a step (eq. 7): ramps from just above `start` to `end` over the run, so that first only
 * certain pixels teach and at the end all do.
 */
export function trustThreshold(step: number, totalSteps: number, range: { start: number; end: number }): number {
  return range.start + (range.end - range.start) * ramp(step, totalSteps);
}

/** Polynomial decay of the learning rate (eq. 14): base * (1 - step/total)^0.9, 0 from `totalSteps` on. */
export function polynomialRate(base: number, step: number, totalSteps: number): number {
  return base * Math.max(1 - step / totalSteps, 0) ** 0.9;
}

/** w(t), weight of the distillation in stage 1 (eq. 18): ramps up to `weight` over a share of the run. */
export function distillationWeight(
  step: number,
  totalSteps: number,
  { weight, rampShare }: { readonly weight: number; readonly rampShare: number },
): number {
  return weight * ramp(step, rampShare * totalSteps);
}
