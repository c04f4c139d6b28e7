import type { UncolClient } from '../api/client.ts';
import { toUserProblem, type UserProblem } from '../api/problem.ts';
import { activeSeries, type SeriesState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** Whether rounds of the chosen model leave a series alone. */
export type Exclusion =
  | { readonly phase: 'none' }
  | { readonly phase: 'asking' }
  | { readonly phase: 'excluded'; readonly reason: string }
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
    return this.#ask(({ series }, model) => this.#find(model, series.seriesInstanceUid));
  }

  exclude(reason: string): Promise<void> {
    return this.#ask(async ({ series: { studyInstanceUid, seriesInstanceUid } }, model) => {
      await this.#client.exclude({ model, studyInstanceUid, seriesInstanceUid, reason });
      this.#onChange();
      return { phase: 'excluded', reason };
    });
  }

  include(): Promise<void> {
    return this.#ask(async ({ series }, model) => {
      await this.#client.include(model, series.seriesInstanceUid);
      this.#onChange();
      return { phase: 'none' };
    });
  }

  async #find(model: string, seriesUid: string): Promise<Exclusion> {
    const exclusions = await this.#client.listExclusions(model);
    const found = exclusions.find(({ seriesInstanceUid }) => seriesInstanceUid === seriesUid);
    return found ? { phase: 'excluded', reason: found.reason } : { phase: 'none' };
  }

  async #ask(work: (state: SeriesState, model: string) => Promise<Exclusion>): Promise<void> {
    const state = activeSeries(this.#holder.get());
    if (!state?.modelName) return;
    const { seriesInstanceUid } = state.series;
    this.#holder.patchSeries(seriesInstanceUid, { exclusion: { phase: 'asking' } });
    const exclusion = await work(state, state.modelName).catch(
      (error: unknown): Exclusion => ({ phase: 'failed', problem: toUserProblem(error) }),
    );
    // The answer is about the model that was chosen when it was asked.
    const now = this.#holder.get().series[seriesInstanceUid]?.modelName;
    if (now === state.modelName) this.#holder.patchSeries(seriesInstanceUid, { exclusion });
  }
}
