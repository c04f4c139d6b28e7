import type { UncolClient } from '../api/client.ts';
import { toUserProblem } from '../api/problem.ts';
import type { Host } from '../viewer/host.ts';
import { openStudy, readLayout, restoreLayout, type ViewerLayout } from '../viewer/open-study.ts';
import { activeSeries, type WorklistState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** Cases shown at most; the next one is found by the server among all of them. */
const shownCases = 30;

/** Which cases a reader works through, and in which order. Goes on from study to study. */
export class WorklistReader {
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  /** The study that is being opened, and the layout to be restored once it is there. */
  #opening: { readonly studyInstanceUid: string; readonly layout: ViewerLayout } | null = null;
  /** Counts questions, so that a late answer to an earlier one is not shown. */
  #asked = 0;

  constructor(host: Host, client: UncolClient, holder: StateHolder) {
    this.#host = host;
    this.#client = client;
    this.#holder = holder;
  }

  /** Changes order or filters, or unfolds the list, and asks the server again where it is shown. */
  async choose(
    choice: Partial<Pick<WorklistState, 'isShown' | 'order' | 'state' | 'modality' | 'bodyPart'>>,
  ): Promise<void> {
    this.#patch({ ...choice, notice: null });
    await this.refresh();
  }

  /** Asks for the list again, if it is shown. */
  async refresh(): Promise<void> {
    const { isShown, order, state, modality, bodyPart } = this.#holder.get().worklist;
    const model = this.#model();
    if (!isShown || model === null) return;
    const asked = ++this.#asked;
    try {
      const query = { model, order, limit: shownCases, ...wanted({ state, modality, bodyPart }) };
      const value = await this.#client.getWorklist(query);
      if (asked === this.#asked) this.#patch({ list: { status: 'ready', value } });
    } catch (error) {
      if (asked === this.#asked) this.#patch({ list: { status: 'failed', problem: toUserProblem(error) } });
    }
  }

  /** Opens the next case in place of the study on display. */
  async openNext(): Promise<void> {
    const { order, state, modality, bodyPart, isOpening } = this.#holder.get().worklist;
    const model = this.#model();
    if (model === null || isOpening) return;
    this.#patch({ isOpening: true, notice: null });
    try {
      const study = activeSeries(this.#holder.get())?.series.studyInstanceUid;
      const { item } = await this.#client.openNextCase({
        ...{ model, order, ...wanted({ state, modality, bodyPart }) },
        ...(study === undefined ? {} : { notStudyInstanceUid: study }),
      });
      if (item === null)
        this.#patch({ notice: 'Nothing is left in this list. Choose other filters, or come back later.' });
      else this.open(item);
    } catch (error) {
      this.#patch({ list: { status: 'failed', problem: toUserProblem(error) } });
    } finally {
      this.#patch({ isOpening: false });
    }
  }

  /** Opens a case in place of the study on display; its series is segmented with the same model. */
  open({ studyInstanceUid, seriesInstanceUid }: { studyInstanceUid: string; seriesInstanceUid: string }): void {
    this.#patch({ model: this.#model() });
    this.#opening = { studyInstanceUid, layout: readLayout(this.#host) };
    openStudy(this.#host, studyInstanceUid, seriesInstanceUid);
  }

  /** The viewports of a study are there: arranges them as those before, once. */
  noteViewports(): void {
    const opening = this.#opening;
    // The study before may tell of its viewports until it is gone.
    if (opening?.studyInstanceUid !== activeSeries(this.#holder.get())?.series.studyInstanceUid) return;
    this.#opening = null;
    if (opening) restoreLayout(this.#host, opening.layout);
  }

  /** The model of the series on display; where that has none (yet), the one that the reader came with. */
  #model(): string | null {
    const state = this.#holder.get();
    return activeSeries(state)?.modelName ?? state.worklist.model;
  }

  #patch(patch: Partial<WorklistState>): void {
    const state = this.#holder.get();
    this.#holder.set({ ...state, worklist: { ...state.worklist, ...patch } });
  }
}

/** Filters that are set. */
function wanted(filters: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}
