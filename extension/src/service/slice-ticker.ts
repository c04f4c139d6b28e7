import { nextUnticked, withTick } from '../correction/ticks.ts';
import type { Host } from '../viewer/host.ts';
import { findCurrentSlice, turnTo } from '../viewer/slices.ts';
import { activeSeries, type MaskState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** The ticks by which a reader vouches for slices of the active series. */
export class SliceTicker {
  readonly #host: Host;
  readonly #holder: StateHolder;
  readonly #onTicks: (displaySetUid: string) => void;

  /** @param onTicks Called when the ticks of a series have changed. */
  constructor(host: Host, holder: StateHolder, onTicks: (displaySetUid: string) => void) {
    this.#host = host;
    this.#holder = holder;
    this.#onTicks = onTicks;
  }

  /** Notes which slice is on display. */
  follow(): void {
    const state = this.#holder.get();
    const currentSlice = findCurrentSlice(this.#host);
    if (currentSlice !== state.currentSlice) this.#holder.set({ ...state, currentSlice });
  }

  /** Ticks the slice on display as right, or takes the tick away. */
  tick(): void {
    const shown = this.#shown();
    if (shown !== null) this.#set(withTick(shown.mask, shown.slice, !shown.mask.tickedSlices.includes(shown.slice)));
  }

  /** Ticks the slice on display and turns to the next one without a tick. */
  async tickAndGoOn(): Promise<void> {
    const shown = this.#shown();
    if (shown === null) return;
    const tickedSlices = withTick(shown.mask, shown.slice, true);
    this.#set(tickedSlices);
    const next = nextUnticked({ ...shown.mask, tickedSlices }, shown.slice);
    if (next !== null) await this.turnTo(next);
  }

  /** Ticks all slices, or takes all ticks away. */
  tickAll(isTicked: boolean): void {
    const mask = activeSeries(this.#holder.get())?.mask;
    if (mask) this.#set(isTicked ? mask.slices : []);
  }

  /** Turns the viewports to a slice. */
  async turnTo(sliceId: string): Promise<void> {
    const state = activeSeries(this.#holder.get());
    if (state !== null) await turnTo(this.#host, state.series, sliceId);
  }

  /** The slice of the mask that is on display. */
  #shown(): { readonly mask: MaskState; readonly slice: string } | null {
    const state = this.#holder.get();
    const mask = activeSeries(state)?.mask;
    const slice = state.currentSlice;
    return mask && slice !== null && mask.slices.includes(slice) ? { mask, slice } : null;
  }

  #set(tickedSlices: readonly string[]): void {
    const state = activeSeries(this.#holder.get());
    // What is on its way to the server stays as it was sent.
    if (!state?.mask || state.submission.phase === 'sending') return;
    this.#holder.patchSeries(state.series.displaySetInstanceUid, { mask: { ...state.mask, tickedSlices } });
    this.#onTicks(state.series.displaySetInstanceUid);
  }
}
