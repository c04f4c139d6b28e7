import type { Card } from '../registry/card.ts';
import { listClaims, type RecentClaim } from '../store/claims.ts';
import type { Queryable } from '../store/database.ts';
import { type Exclusion, listExclusions } from '../store/exclusions.ts';
import { listForgotten } from '../store/forget.ts';
import { type AnswerRow, countRoundsDone, listAnswers, listMasks, type MaskRow } from '../store/worklist.ts';
import { volumeKey } from '../study/volume-address.ts';

/**
 * How long a case stays with the reader who opened it, minutes: longer than the correction of a large mask takes, and so
 * short that a case left open is read by another on the same day. A submission is taken after that, too.
 */
const claimMinutes = 30;

/** What the database knows of the cases of a model, by Series Instance UID where nothing else is said. */
export interface CaseFacts {
  /** Of a series with several volumes that of the one that is worked on. */
  readonly masks: ReadonlyMap<string, MaskRow>;
  /** Likewise. */
  readonly answers: ReadonlyMap<string, AnswerRow>;
  /** Series that are, or of which a volume is and no other one was answered. */
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
  const masks = await listMasks(db, name, version);
  const answers = await listAnswers(db, name);
  return {
    ...foldVolumes(masks, answers, await listExclusions(db, name)),
    forgotten: await listForgotten(db),
    claims: new Map((await listClaims(db, name, claimMinutes)).map((claim) => [claim.studyInstanceUid, claim])),
    rounds: await countRoundsDone(db, name),
  };
}

type OfVolume = Pick<Exclusion, 'seriesInstanceUid' | 'volume'>;

/**
 * What is known of volumes, told of their series: a case is worked through one volume of it, the one answered last, else
 * drawn last, and through an excluded one only where there is no other.
 *
 * @param masks newest last, as are the answers.
 */
function foldVolumes(
  masks: readonly MaskRow[],
  answers: readonly AnswerRow[],
  exclusions: readonly OfVolume[],
): Pick<CaseFacts, 'masks' | 'answers' | 'excluded'> {
  const keys = new Set(exclusions.map(volumeKey));
  const isOut = (row: OfVolume) => keys.has(volumeKey(row)) || keys.has(row.seriesInstanceUid);
  const fold = <Row extends OfVolume>(rows: readonly Row[]): ReadonlyMap<string, Row> =>
    new Map([...rows.filter(isOut), ...rows.filter((row) => !isOut(row))].map((row) => [row.seriesInstanceUid, row]));
  const answered = fold(answers);
  const isWorkedOn = ({ seriesInstanceUid, volume }: MaskRow) =>
    volume === (answered.get(seriesInstanceUid)?.volume ?? volume);
  const isExcluded = (answer: AnswerRow | undefined) => answer === undefined || isOut(answer);
  const excluded = exclusions.map(({ seriesInstanceUid }) => seriesInstanceUid);
  return {
    masks: fold(masks.filter(isWorkedOn)),
    answers: answered,
    excluded: new Set(excluded.filter((uid) => isExcluded(answered.get(uid)))),
  };
}
