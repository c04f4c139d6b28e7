import type { UncolClient } from '../api/client.ts';
import type { StartNextCase, WorklistItem } from '../api/contract.ts';
import { toUserProblem } from '../api/problem.ts';
import type { Host } from '../viewer/host.ts';
import type { LeaveGuard } from '../viewer/leave-guard.ts';
import { openStudy, readLayout, restoreLayout, type ViewerLayout } from '../viewer/open-study.ts';
import { activeSeries, type WorklistState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** Cases shown at most; the next one is found by the server among all of them. */
const shownCases = 30;

const nothingLeft =
  'Nothing is left here that is not open by another reader or left out. Choose other filters, or come back later.';

/** Which cases a reader works through, and in which order. Goes on from study to study. */
export class WorklistReader {
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #guard: () => Pick<LeaveGuard, 'mayLeave' | 'leave'> | null;
  /** The study that is being opened, and the layout to be restored once it is there. */
  #opening: { readonly studyInstanceUid: string; readonly layout: ViewerLayout } | null = null;
  /** Counts questions, so that a late answer to an earlier one is not shown. */
  #asked = 0;

  /** @param guard of the study on display. */
  constructor(
    host: Host,
    client: UncolClient,
    holder: StateHolder,
    guard: () => Pick<LeaveGuard, 'mayLeave' | 'leave'> | null,
  ) {
    this.#host = host;
    this.#client = client;
    this.#holder = holder;
    this.#guard = guard;
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
    const { state, modality, bodyPart } = this.#holder.get().worklist;
    const study = activeSeries(this.#holder.get())?.series.studyInstanceUid;
    await this.#open({
      ...wanted({ state, modality, bodyPart }),
      ...(study === undefined ? {} : { notStudyInstanceUid: study }),
    });
  }

  /** Opens a case of the list in place of the study on display. */
  async open({ studyInstanceUid, seriesInstanceUid, openBy }: WorklistItem): Promise<void> {
    if (openBy !== 'another') {
      await this.#open({ studyInstanceUid });
      return;
    }
    // Another reader keeps it; both corrections will be kept, too.
    if (await this.#mayLeave()) this.#goTo(studyInstanceUid, seriesInstanceUid);
  }

  /** Claims a case, so that no other reader is offered it, and goes there. The reader is asked first, if there is work to lose. */
  async #open(which: Omit<StartNextCase, 'model' | 'order'>): Promise<void> {
    const { order, isOpening } = this.#holder.get().worklist;
    const model = this.#model();
    if (model === null || isOpening || !(await this.#mayLeave())) return;
    this.#patch({ isOpening: true, notice: null, problem: null });
    const found = await this.#client.openNextCase({ model, order, ...which }).catch(toUserProblem);
    this.#patch({ isOpening: false });
    if (!('item' in found)) this.#patch({ problem: found });
    else if (found.item === null) this.#patch({ notice: nothingLeft });
    else this.#goTo(found.item.studyInstanceUid, found.item.seriesInstanceUid);
  }

  #mayLeave(): Promise<boolean> {
    return this.#guard()?.mayLeave() ?? Promise.resolve(true);
  }

  /** The series there is segmented with the same model. */
  #goTo(studyInstanceUid: string, seriesInstanceUid: string): void {
    this.#patch({ model: this.#model() });
    this.#opening = { studyInstanceUid, layout: readLayout(this.#host) };
    const go = () => openStudy(this.#host, studyInstanceUid, seriesInstanceUid);
    const guard = this.#guard();
    if (guard) guard.leave(go);
    else go();
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
