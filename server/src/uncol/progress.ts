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
/** Steps in a row: a batch that shows no segment has a constant posterior and is no fault. */
const patience = 25;

/** Watches a run for numbers that are none, and for a distillation that rewards itself. */
export class Watch {
  readonly #flatSteps = new Map<string, number>();

  /**
   * @throws AppError `training-not-finite` when the loss or a term is no finite number; `training-collapsed` when what is
   *   distilled has been constant for many steps, which both distillation losses reward.
   */
  check({ step, loss, terms }: Progress): void {
    const bad = Object.entries({ loss, ...terms }).find(([, value]) => !Number.isFinite(value));
    if (bad) throw new AppError('training-not-finite', `${bad[0]} became ${bad[1]} in step ${step}`, { step });
    for (const [name, value] of Object.entries(terms)) {
      if (!name.endsWith('Spread')) continue;
      const flat = value < leastSpread ? (this.#flatSteps.get(name) ?? 0) + 1 : 0;
      this.#flatSteps.set(name, flat);
      if (flat < patience) continue;
      throw new AppError('training-collapsed', `${name} was below ${leastSpread} for ${flat} steps, up to ${step}`, {
        step,
      });
    }
  }
}
