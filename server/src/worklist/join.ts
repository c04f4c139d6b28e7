import type { Card } from '../registry/card.ts';
import { mayTeach } from '../registry/registry.ts';
import type { MaskRow } from '../store/worklist.ts';
import type { SeriesRecord } from '../study/dicom-json.ts';
import type { CaseOrder, CaseState, WorklistCase } from './case.ts';
import type { CaseFacts } from './facts.ts';
import { type OrderedCase, orderCases } from './orders.ts';

/** A case with what it is ordered by. */
export type JoinedCase = WorklistCase & OrderedCase;

/** What of the card of the version in service decides. */
type WorklistCard = Pick<Card, 'name' | 'version' | 'filter' | 'segments'>;

/**
 * Every case of a model, in an order. By uncertainty and at random, cases that readers have answered come after those
 * that nobody has: they would only take turns away from them.
 */
export function joinCases(
  card: WorklistCard,
  series: readonly SeriesRecord[],
  facts: CaseFacts,
  { order, reader }: { readonly order: CaseOrder; readonly reader: string },
): readonly JoinedCase[] {
  const fitting = series.filter((each) => mayTeach(card, each) && !facts.forgotten.has(each.studyInstanceUid));
  const cases = onePerStudy(fitting, facts).map((each) => joinCase(card, each, facts, reader));
  const seed = { model: card.name, version: card.version, rounds: facts.rounds };
  if (order === 'worklist') return orderCases(order, cases, seed);
  const groups: readonly (readonly CaseState[])[] = [['new', 'segmented'], ['corrected', 'accepted'], ['excluded']];
  return groups.flatMap((states) => {
    const group = cases.filter(({ state }) => states.includes(state));
    return orderCases(order, group, seed);
  });
}

/**
 * Of each study one series: one that a reader has answered, else one that is not excluded; of these the one with most
 * instances, since a scout has few, then the smallest UID.
 */
function onePerStudy(series: readonly SeriesRecord[], facts: CaseFacts): readonly SeriesRecord[] {
  const chosen = new Map<string, SeriesRecord>();
  for (const each of series) {
    const before = chosen.get(each.studyInstanceUid);
    if (!before || isPreferred(each, before, facts)) chosen.set(each.studyInstanceUid, each);
  }
  return [...chosen.values()];
}

function isPreferred(a: SeriesRecord, b: SeriesRecord, { answers, excluded }: CaseFacts): boolean {
  const standing = ({ seriesInstanceUid }: SeriesRecord) =>
    excluded.has(seriesInstanceUid) ? 0 : answers.has(seriesInstanceUid) ? 2 : 1;
  const more = standing(a) - standing(b) || (a.instances ?? 0) - (b.instances ?? 0);
  return more === 0 ? a.seriesInstanceUid < b.seriesInstanceUid : more > 0;
}

function joinCase(card: WorklistCard, series: SeriesRecord, facts: CaseFacts, reader: string): JoinedCase {
  const { studyInstanceUid, seriesInstanceUid, modality, bodyPart, description, studyDate } = series;
  const mask = facts.masks.get(seriesInstanceUid);
  const answer = facts.answers.get(seriesInstanceUid);
  const claim = facts.claims.get(studyInstanceUid);
  const isCurrent = mask?.version === card.version;
  return {
    studyInstanceUid,
    seriesInstanceUid,
    volume: answer?.volume ?? mask?.volume ?? '',
    modality,
    bodyPart: bodyPart || null,
    description: description || null,
    studyDate: studyDate || null,
    state: stateOf(facts, seriesInstanceUid),
    uncertainty: isCurrent ? mask.uncertainty : null,
    version: mask?.version ?? null,
    openBy: claim?.isOpen ? (claim.reader === reader ? 'you' : 'another') : null,
    conflict: answer?.isConflict ?? false,
    isFound: mask?.isFound ?? false,
    scores: isCurrent ? scoresOf(mask, card) : null,
  };
}

function stateOf({ masks, answers, excluded }: CaseFacts, seriesInstanceUid: string): CaseState {
  if (excluded.has(seriesInstanceUid)) return 'excluded';
  const answer = answers.get(seriesInstanceUid);
  if (answer) return answer.kind === 'edited' ? 'corrected' : 'accepted';
  return masks.has(seriesInstanceUid) ? 'segmented' : 'new';
}

/** Where a result does not tell the segments apart, the mask as a whole stands for each. */
function scoresOf({ uncertainty, uncertaintyBySegment }: MaskRow, { segments }: WorklistCard): OrderedCase['scores'] {
  return { whole: uncertainty, bySegment: uncertaintyBySegment ?? segments.map(() => uncertainty) };
}
