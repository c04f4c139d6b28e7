import type { Card } from '../registry/card.ts';
import { listClaims, type RecentClaim } from '../store/claims.ts';
import type { Queryable } from '../store/database.ts';
import { listExclusions } from '../store/exclusions.ts';
import { listForgotten } from '../store/forget.ts';
import { type AnswerRow, countRoundsDone, listAnswers, listMasks, type MaskRow } from '../store/worklist.ts';

/**
 * How long a case stays with the reader who opened it, minutes: longer than the correction of a large mask takes, and so
 * short that a case left open is read by another on the same day. A submission is taken after that, too.
 */
const claimMinutes = 30;

/** What the database knows of the cases of a model, by Series Instance UID where nothing else is said. */
export interface CaseFacts {
  readonly masks: ReadonlyMap<string, MaskRow>;
  readonly answers: ReadonlyMap<string, AnswerRow>;
  readonly excluded: ReadonlySet<string>;
  /** Study Instance UIDs. */
  readonly forgotten: ReadonlySet<string>;
  /** By study; also those given back. */
  readonly claims: ReadonlyMap<string, RecentClaim>;
  /** Rounds that are done. */
  readonly rounds: number;
}

/** Reads them, one statement for each kind however many cases there are; in turn, for a transaction has one connection. */
export async function readFacts(db: Queryable, { name, version }: Pick<Card, 'name' | 'version'>): Promise<CaseFacts> {
  return {
    masks: bySeries(await listMasks(db, name, version)),
    answers: bySeries(await listAnswers(db, name)),
    excluded: new Set((await listExclusions(db, name)).map(({ seriesInstanceUid }) => seriesInstanceUid)),
    forgotten: await listForgotten(db),
    claims: new Map((await listClaims(db, name, claimMinutes)).map((claim) => [claim.studyInstanceUid, claim])),
    rounds: await countRoundsDone(db, name),
  };
}

function bySeries<Row extends { readonly seriesInstanceUid: string }>(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [row.seriesInstanceUid, row]));
}
