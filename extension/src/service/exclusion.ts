import type { UncolClient } from '../api/client.ts';
import { toUserProblem, type UserProblem } from '../api/problem.ts';
import { activeSeries, addressOf, type SeriesRef, type SeriesState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** Whether rounds of the chosen model leave a series alone, or the volume of it on display (`volume` null: all of it). */
export type Exclusion =
  | { readonly phase: 'none' }
  | { readonly phase: 'asking' }
  | { readonly phase: 'excluded'; readonly reason: string; readonly volume: string | null }
  | { readonly phase: 'failed'; readonly problem: UserProblem };

/** Leaves the active series out of learning. */
export class Excluder {
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #onChange: () => void;

  /** @param onChange Called when the server has taken a change. */
  constructor(client: UncolClient, holder: StateHolder, onChange: () => void) {
    this.#client = client;
    this.#holder = holder;
    this.#onChange = onChange;
  }

  /** Asks how it stands with the active series under its chosen model. */
  look(): Promise<void> {
    return this.#ask(({ series }, model) => this.#find(model, series));
  }

  exclude(reason: string): Promise<void> {
    return this.#ask(async ({ series }, model) => {
      await this.#client.exclude({ model, ...addressOf(series), reason });
      this.#onChange();
      return { phase: 'excluded', reason, volume: series.volume };
    });
  }

  include(): Promise<void> {
    return this.#ask(async ({ series, exclusion }, model) => {
      const volume = exclusion.phase === 'excluded' ? exclusion.volume : series.volume;
      await this.#client.include(model, { ...series, volume });
      this.#onChange();
      return this.#find(model, series);
    });
  }

  async #find(model: string, { seriesInstanceUid, volume }: SeriesRef): Promise<Exclusion> {
    const exclusions = await this.#client.listExclusions(model);
    const found = exclusions.find(
      (each) => each.seriesInstanceUid === seriesInstanceUid && (each.volume === null || each.volume === volume),
    );
    return found ? { phase: 'excluded', reason: found.reason, volume: found.volume } : { phase: 'none' };
  }

  async #ask(work: (state: SeriesState, model: string) => Promise<Exclusion>): Promise<void> {
    const state = activeSeries(this.#holder.get());
    if (!state?.modelName) return;
    const { displaySetInstanceUid } = state.series;
    this.#holder.patchSeries(displaySetInstanceUid, { exclusion: { phase: 'asking' } });
    const exclusion = await work(state, state.modelName).catch(
      (error: unknown): Exclusion => ({ phase: 'failed', problem: toUserProblem(error) }),
    );
    // The answer is about the model that was chosen when it was asked.
    const now = this.#holder.get().series[displaySetInstanceUid]?.modelName;
    if (now === state.modelName) this.#holder.patchSeries(displaySetInstanceUid, { exclusion });
  }
}
