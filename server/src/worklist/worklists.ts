import type { Registry } from '../registry/registry.ts';
import { appendAudit } from '../store/audit.ts';
import { holdClaims, insertClaim } from '../store/claims.ts';
import type { Database } from '../store/database.ts';
import type { Pacs } from '../study/pacs.ts';
import type { CaseFilter, CaseOrder, CaseState, WorklistCase } from './case.ts';
import { readFacts } from './facts.ts';
import { type JoinedCase, joinCases } from './join.ts';
import { createListing } from './listing.ts';

/** A page of a worklist and what is to be known of the whole. */
export interface WorklistPage {
  /** When the PACS was asked. */
  readonly listedAt: Date;
  /** Cases that pass the filter. */
  readonly total: number;
  /** Of those of the modality and body part asked for. */
  readonly counts: Readonly<Record<CaseState, number>>;
  readonly modalities: readonly string[];
  readonly bodyParts: readonly string[];
  readonly items: readonly WorklistCase[];
}

export interface WorklistRequest extends CaseFilter {
  /** Name; the version in service is the one whose scores count. */
  readonly model: string;
  readonly order: CaseOrder;
  /** Subject of the token of who asks. */
  readonly reader: string;
}

/** The worklists of all models. The methods reject with AppError `model-not-found` and with what the PACS client throws. */
export interface Worklists {
  read(request: WorklistRequest & { readonly limit: number; readonly offset: number }): Promise<WorklistPage>;
  /**
   * Claims the first case that no other reader has open, and gives back what the reader had open before. What the reader
   * has gone past lately is offered again only when nothing else is left. Undefined: nothing is.
   */
  openNext(
    request: WorklistRequest & {
      /** This very study, whatever its state. */
      readonly studyInstanceUid?: string | undefined;
      readonly notStudyInstanceUid?: string | undefined;
    },
  ): Promise<WorklistCase | undefined>;
  /** All cases of a model, without filter, as the PACS told lately; this does not count for {@link Worklists.askedFor}. */
  list(request: Pick<WorklistRequest, 'model' | 'order' | 'reader'>): Promise<readonly WorklistCase[]>;
  /** Models whose worklist a reader has asked for in the last half hour. */
  askedFor(): readonly string[];
}

/** A reader who has asked within this time is taken to be there still. */
const attentionMs = 30 * 60_000;

export function createWorklists({
  database,
  registry,
  pacs,
  signal,
}: {
  readonly database: Database;
  readonly registry: Registry;
  readonly pacs: Pick<Pacs, 'searchSeries'>;
  /** Gives up what is being asked of the PACS. */
  readonly signal?: AbortSignal;
}): Worklists {
  const listSeries = createListing(pacs, { signal });
  const askedAt = new Map<string, number>();

  const look = async (model: string, when: 'now' | 'lately' = 'now') => {
    const { card } = await registry.resolve(model);
    return { card, ...(await listSeries(card.filter.modality, when)) };
  };
  return {
    async read({ limit, offset, ...request }) {
      const { card, series, listedAt } = await look(request.model);
      askedAt.set(card.name, Date.now());
      const cases = joinCases(card, series, await readFacts(database, card), request);
      const ofKind = cases.filter((each) => isOfKind(each, request));
      const shown = ofKind.filter(({ state }) => request.state === undefined || state === request.state);
      return {
        listedAt,
        total: shown.length,
        counts: countStates(ofKind),
        modalities: valuesOf(cases, 'modality'),
        bodyParts: valuesOf(cases, 'bodyPart'),
        items: shown.slice(offset, offset + limit).map(present),
      };
    },
    async openNext({ studyInstanceUid: wanted, notStudyInstanceUid, ...request }) {
      const { card, series } = await look(request.model);
      const { model, order, reader, state } = request;
      askedAt.set(card.name, Date.now());
      const states: readonly CaseState[] = state ? [state] : ['new', 'segmented'];
      return database.transaction(async (tx) => {
        await holdClaims(tx, model);
        const facts = await readFacts(tx, card);
        const cases = joinCases(card, series, facts, request);
        const isOffered = (each: JoinedCase) =>
          wanted === undefined
            ? isOfKind(each, request) &&
              states.includes(each.state) &&
              each.state !== 'excluded' &&
              each.studyInstanceUid !== notStudyInstanceUid
            : each.studyInstanceUid === wanted;
        const offered = cases.filter((each) => each.openBy !== 'another' && isOffered(each));
        const isPassed = ({ studyInstanceUid }: JoinedCase) => {
          const claim = facts.claims.get(studyInstanceUid);
          return claim?.reader === reader && !claim.isOpen;
        };
        const chosen = offered.find((each) => !isPassed(each)) ?? offered[0];
        if (!chosen) return undefined;
        const { studyInstanceUid, seriesInstanceUid } = chosen;
        const rank = cases.indexOf(chosen) + 1;
        await insertClaim(tx, {
          modelName: model,
          studyInstanceUid,
          seriesInstanceUid,
          reader,
          orderUsed: order,
          rank,
        });
        // A viewer that is loaded again gets the case that it had open: that is no new act.
        if (chosen.openBy !== 'you') {
          const object = { model, version: card.version, order, rank };
          await appendAudit(tx, { actor: reader, action: 'case-opened', object });
        }
        return present({ ...chosen, openBy: 'you' });
      });
    },
    async list(request) {
      const { card, series } = await look(request.model, 'lately');
      return joinCases(card, series, await readFacts(database, card), request).map(present);
    },
    askedFor() {
      const since = Date.now() - attentionMs;
      return [...askedAt].filter(([, at]) => at > since).map(([model]) => model);
    },
  };
}

function isOfKind({ modality, bodyPart }: WorklistCase, wanted: CaseFilter): boolean {
  return (
    (wanted.modality === undefined || modality === wanted.modality) &&
    (wanted.bodyPart === undefined || bodyPart === wanted.bodyPart)
  );
}

function countStates(cases: readonly WorklistCase[]): Record<CaseState, number> {
  const counts = { new: 0, segmented: 0, corrected: 0, accepted: 0, excluded: 0 };
  for (const { state } of cases) counts[state] += 1;
  return counts;
}

function valuesOf(cases: readonly WorklistCase[], key: 'modality' | 'bodyPart'): readonly string[] {
  return [...new Set(cases.flatMap((each) => each[key] ?? []))].sort();
}

function present({ isFound: _found, scores: _scores, ...shown }: JoinedCase): WorklistCase {
  return shown;
}
