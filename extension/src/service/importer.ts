import type { UncolClient } from '../api/client.ts';
import type { MaskList, OpenImport, Receipt, StartImport } from '../api/contract.ts';
import { toUserProblem, type UserProblem } from '../api/problem.ts';
import { activeSeries, addressOf, type SeriesState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** A SEG or RTSTRUCT of the study. */
export type ForeignMask = MaskList['masks'][number];

/** What the reader says of a mask that was made elsewhere; see {@link StartImport}. */
export type Saying = Pick<StartImport, 'structures' | 'absent' | 'resample' | 'everySlice' | 'acceptAutomatic'>;

/** How far the reader is with handing in a mask that was made elsewhere. */
export type Importing =
  | { readonly phase: 'none' }
  | { readonly phase: 'looking' }
  | Choosing
  | { readonly phase: 'received'; readonly receipt: Receipt; readonly problem: UserProblem | null }
  | { readonly phase: 'failed'; readonly problem: UserProblem };

/** The masks are listed, and one of them may be on its way. */
export interface Choosing {
  readonly phase: 'choosing';
  readonly masks: readonly ForeignMask[];
  readonly isSending: boolean;
  /** What the server has to know first. */
  readonly open: OpenImport | null;
  /** Why it refused. */
  readonly problem: UserProblem | null;
}

/** Hands in masks of the PACS that no mask of the model was drawn over. */
export class Importer {
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #onChange: () => void;
  #lastTry: { readonly body: string; readonly key: string } | null = null;

  /** @param onChange Called when the server has taken a mask, or given one back. */
  constructor(client: UncolClient, holder: StateHolder, onChange: () => void) {
    this.#client = client;
    this.#holder = holder;
    this.#onChange = onChange;
  }

  /** Asks which masks the study of the active series has. */
  look(): Promise<void> {
    return this.#work({ phase: 'looking' }, async ({ series }) => {
      const masks = await this.#client.listMasks(series.studyInstanceUid);
      return { phase: 'choosing', masks, isSending: false, open: null, problem: null };
    });
  }

  /** Hands in a mask of the list for the active series. A refusal leaves the list, so that more can be said. */
  async send(mask: ForeignMask, saying: Saying): Promise<void> {
    const importing = activeSeries(this.#holder.get())?.importing;
    if (importing?.phase !== 'choosing' || importing.isSending) return;
    await this.#work({ ...importing, isSending: true }, async ({ series, modelName }) => {
      const object = { seriesInstanceUid: mask.seriesInstanceUid, sopInstanceUid: mask.sopInstanceUid };
      const body = { ...addressOf(series), model: modelName ?? '', object, ...saying };
      try {
        const answer = await this.#client.importMask(body, this.#keyOf(body));
        this.#lastTry = null;
        if ('missing' in answer) return { ...importing, open: answer, problem: null };
        this.#onChange();
        return { phase: 'received', receipt: answer, problem: null };
      } catch (error) {
        return { ...importing, problem: toUserProblem(error) };
      }
    });
  }

  /** Takes back what was handed in last. */
  async takeBack(): Promise<void> {
    const importing = activeSeries(this.#holder.get())?.importing;
    if (importing?.phase !== 'received') return;
    await this.#work(importing, async () => {
      try {
        const receipt = await this.#client.withdraw(importing.receipt.id, 'taken back in the viewer');
        this.#onChange();
        return { phase: 'received', receipt, problem: null };
      } catch (error) {
        return { ...importing, problem: toUserProblem(error) };
      }
    });
  }

  /** A try whose answer was lost is made again with the same key, and kept once. */
  #keyOf(body: object): string {
    const text = JSON.stringify(body);
    if (this.#lastTry?.body !== text) this.#lastTry = { body: text, key: crypto.randomUUID() };
    return this.#lastTry.key;
  }

  async #work(meanwhile: Importing, work: (state: SeriesState) => Promise<Importing>): Promise<void> {
    const state = activeSeries(this.#holder.get());
    if (!state?.modelName) return;
    const { displaySetInstanceUid } = state.series;
    this.#holder.patchSeries(displaySetInstanceUid, { importing: meanwhile });
    const importing = await work(state).catch(
      (error: unknown): Importing => ({ phase: 'failed', problem: toUserProblem(error) }),
    );
    // The answer is about the model that was chosen when it was asked.
    const now = this.#holder.get().series[displaySetInstanceUid]?.modelName;
    if (now === state.modelName) this.#holder.patchSeries(displaySetInstanceUid, { importing });
  }
}

/** Whether everything that the server asked is said. */
export function isAnswered(
  open: OpenImport | null,
  { structures, absent }: Pick<Saying, 'structures' | 'absent'>,
): boolean {
  if (open === null) return true;
  const said = new Set(structures.map(({ from }) => from));
  const shown = new Set([...structures.flatMap(({ to }) => to ?? []), ...absent]);
  return open.structures.every(({ number }) => said.has(String(number))) && open.missing.every((one) => shown.has(one));
}
