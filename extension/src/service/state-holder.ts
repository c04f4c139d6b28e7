import { emptyLearning, emptyState, type LearningState, type SeriesState, type UncolState } from './state.ts';

/** Holds the one {@link UncolState} and tells listeners when it is replaced. */
export class StateHolder {
  #state: UncolState = emptyState;
  readonly #listeners = new Set<() => void>();

  /** The state as it stands; equal by identity until something changes. */
  readonly get = (): UncolState => this.#state;

  /** Calls `listener` after each change; returns the way to stop it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(state: UncolState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  /** Replaces fields of one series; does nothing for a series not known (any more). */
  patchSeries(displaySetUid: string, patch: Partial<SeriesState>): void {
    const series = this.#state.series[displaySetUid];
    if (series === undefined) return;
    this.set({ ...this.#state, series: { ...this.#state.series, [displaySetUid]: { ...series, ...patch } } });
  }

  patchLearning(model: string, patch: Partial<LearningState>): void {
    const learning = this.#state.learning[model] ?? emptyLearning;
    this.set({ ...this.#state, learning: { ...this.#state.learning, [model]: { ...learning, ...patch } } });
  }
}
