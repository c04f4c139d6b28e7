import type { SeriesRecord } from '../study/dicom-json.ts';
import type { Pacs } from '../study/pacs.ts';

/** Series of some modalities as the PACS answered, and when the oldest of the answers came. */
export interface Listing {
  readonly series: readonly SeriesRecord[];
  readonly listedAt: Date;
}

/**
 * Lists what the PACS holds, asking seldom. `lately`: an answer of the last five minutes will do, and none is fetched behind it.
 *
 * @throws what the PACS client throws, while there is nothing recent enough; for half a minute without asking again.
 */
export type ListSeries = (modalities: readonly string[], when?: 'now' | 'lately') => Promise<Listing>;

/** Series of one modality at most: twenty pages of a search. A hospital points this server at the studies of a project. */
const mostSeries = 10_000;
/** A list of this age is still given, and a newer one is fetched meanwhile. */
const freshMs = 30_000;
/** An older list is not given any more: nobody has asked for a while, and much may have changed. */
const usableMs = 5 * 60_000;

/**
 * Keeps the answers in memory only: they hold free text of the site. One search of a modality runs at a time.
 * @param options.signal gives up searches that run.
 */
export function createListing(
  pacs: Pick<Pacs, 'searchSeries'>,
  { now = Date.now, signal }: { readonly now?: () => number; readonly signal?: AbortSignal | undefined } = {},
): ListSeries {
  const kept = new Map<string, { readonly series: readonly SeriesRecord[]; readonly at: number }>();
  const running = new Map<string, Promise<unknown>>();
  const failed = new Map<string, { readonly error: unknown; readonly at: number }>();

  const refresh = (modality: string): Promise<unknown> => {
    const failure = failed.get(modality);
    // A PACS that is down is not asked at every tick of every clock.
    if (failure && now() - failure.at < freshMs) return Promise.reject(failure.error);
    const search =
      running.get(modality) ??
      pacs
        .searchSeries({ modality, atMost: mostSeries }, signal)
        .then(
          (series) => {
            failed.delete(modality);
            kept.set(modality, { series, at: now() });
          },
          (error: unknown) => {
            failed.set(modality, { error, at: now() });
            throw error;
          },
        )
        .finally(() => running.delete(modality));
    running.set(modality, search);
    return search;
  };
  const list = async (modality: string, when: 'now' | 'lately') => {
    const before = kept.get(modality);
    const ageMs = before ? now() - before.at : Number.POSITIVE_INFINITY;
    if (before && ageMs <= (when === 'now' ? freshMs : usableMs)) return before;
    const search = refresh(modality);
    if (before && ageMs <= usableMs) {
      // The list at hand serves until it is too old; then the same fault reaches who asks.
      search.catch(() => undefined);
      return before;
    }
    await search;
    return kept.get(modality) ?? { series: [], at: now() };
  };
  return async (modalities, when = 'now') => {
    const lists = await Promise.all(modalities.map((modality) => list(modality, when)));
    return {
      series: lists.flatMap(({ series }) => series),
      listedAt: new Date(Math.min(...lists.map(({ at }) => at))),
    };
  };
}
