import { AppError } from '../errors/app-error.ts';

/** What one step did, for log and panel. */
export interface Progress {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
}

/** Below this the maps of a teacher, or the posterior, are as good as constant. */
const leastSpread = 1e-6;

/**
 * @throws AppError `training-not-finite` when the loss or a term is no finite number; `training-collapsed` when what is
 *   distilled has become constant, which both distillation losses would reward.
 */
export function assertSound({ step, loss, terms }: Progress): void {
  const bad = Object.entries({ loss, ...terms }).find(([, value]) => !Number.isFinite(value));
  if (bad) throw new AppError('training-not-finite', `${bad[0]} became ${bad[1]} in step ${step}`, { step });
  const flat = Object.entries(terms).find(([name, value]) => name.endsWith('Spread') && value < leastSpread);
  if (flat) throw new AppError('training-collapsed', `${flat[0]} fell to ${flat[1]} in step ${step}`, { step });
}
