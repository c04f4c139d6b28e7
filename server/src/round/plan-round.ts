import { type SubjectParts, subjectOf } from '../correction/patient.ts';
import { Random } from '../engine/random.ts';
import { AppError } from '../errors/app-error.ts';
import { type Card, seesSlices } from '../registry/card.ts';
import { mayTeach } from '../registry/registry.ts';
import type { CorrectionRow } from '../store/corrections.ts';
import { listExclusions } from '../store/exclusions.ts';
import { listForgotten } from '../store/forget.ts';
import { listCorrectedSeries, listHeldOutCorrections, listNewestCorrections } from '../store/pool.ts';
import { countEarlierRounds } from '../store/rounds.ts';
import type { VolumeAddress } from '../study/volume-address.ts';
import { shuffle } from './draw.ts';
import { mostOf, type PlannedCorrection, type RoundPlan, roundSettings, stepsFor } from './plan.ts';

/** Unlabelled series asked for at most: each costs a retrieval. */
const unlabelledSeries = 6;
/** Series listed at most to draw them from: a hospital's PACS holds millions, and no list of them all is needed. */
const listedSeries = 2000;

/** Held-out patients that judge at most: each costs a retrieval. */
const heldOutPatients = 24;

export interface Planning extends SubjectParts {
  readonly card: Card;
  readonly settings: {
    readonly seed: number;
    readonly roundSteps: number;
    readonly roundUnlabelledSlices: number;
    readonly teacher: string;
  };
}

/**
 * Fixes what a round works on: of the newest correction of each volume, whoever made it, those that {@link drawCorrections}
 * takes, and uncorrected series of the PACS drawn by seed. Held-out patients are in it to judge alone, never to learn from, labelled or not.
 *
 * @throws AppError `round-no-corrections`, and what the PACS client throws.
 */
export async function planRound(
  round: { readonly roundId: string; readonly fromVersion: number; readonly toVersion: number },
  planning: Planning,
): Promise<RoundPlan> {
  const { database, card, settings } = planning;
  const newest = await listNewestCorrections(database, card.name);
  if (newest.length === 0) throw new AppError('round-no-corrections', `No correction of ${card.name} may train.`);
  const seed = settings.seed + (await countEarlierRounds(database, round.roundId));
  const rows = drawCorrections(newest, Random.for(seed, 'corrections'));
  return {
    roundId: round.roundId,
    model: { name: card.name, fromVersion: round.fromVersion, toVersion: round.toVersion },
    seed,
    steps: stepsOf(rows, card, settings.roundSteps),
    corrections: rows.map((row) => ({ ...plannedCorrection(row), isNew: row.usedInRound === null })),
    heldOut: (await listHeldOutCorrections(database, card.name, heldOutPatients)).map(plannedCorrection),
    unlabelled: settings.roundUnlabelledSlices > 0 ? await drawUnlabelled(seed, planning) : [],
    unlabelledSlices: settings.roundUnlabelledSlices,
    teacher: settings.teacher,
  };
}

/**
 * Corrections that a round learns from, so that its time and memory do not grow with the years: of those that no round has
 * used the first ones, for the others come next; of those that were used a draw.
 *
 * @param rows oldest first.
 * @returns likewise.
 */
export function drawCorrections<Row extends Pick<CorrectionRow, 'usedInRound'>>(
  rows: readonly Row[],
  random: Random,
): readonly Row[] {
  const { newCorrections, usedCorrections } = roundSettings;
  const isNew = (row: Row) => row.usedInRound === null;
  const used = rows.filter((row) => !isNew(row));
  const drawn = new Set([
    ...rows.filter(isNew).slice(0, newCorrections),
    ...shuffle(used, random).slice(0, usedCorrections),
  ]);
  return rows.filter((row) => drawn.has(row));
}

function stepsOf(rows: readonly CorrectionRow[], card: Card, most: number): number {
  const { slices, windows, pairs, windowPairs } = roundSettings;
  if (!seesSlices(card)) return stepsFor(rows.length * mostOf(windows, rows.length), windowPairs, most);
  const ofOne = mostOf(slices, rows.length);
  const pieces = rows.reduce((sum, row) => sum + Math.min(row.approvedSlices.length, ofOne), 0);
  // Half of the 2 x pairs labelled slices of a step are corrected ones.
  return stepsFor(pieces, pairs, most);
}

function plannedCorrection(row: CorrectionRow): PlannedCorrection {
  return {
    studyInstanceUid: row.studyInstanceUid,
    seriesInstanceUid: row.seriesInstanceUid,
    volume: row.volume,
    correctionId: row.id,
    labelmapSha256: row.labelmapSha256,
    approvedSlices: [...row.approvedSlices],
  };
}

async function drawUnlabelled(seed: number, planning: Planning): Promise<RoundPlan['unlabelled']> {
  const { database, pacs, card } = planning;
  const corrected = await listCorrectedSeries(database, card.name);
  const excluded = new Set((await listExclusions(database, card.name)).map((row) => row.seriesInstanceUid));
  const forgotten = await listForgotten(database);
  const found = (
    await Promise.all(card.filter.modality.map((modality) => pacs.searchSeries({ modality, atMost: listedSeries })))
  ).flat();
  const mayBeRead = (series: (typeof found)[number]) =>
    !excluded.has(series.seriesInstanceUid) && !forgotten.has(series.studyInstanceUid);
  const open = found.filter(
    (series) => mayTeach(card, series) && mayBeRead(series) && !corrected.has(series.seriesInstanceUid),
  );
  // In the order of UIDs first, so that the draw does not depend on the order of the PACS's answer.
  const ordered = open.toSorted((a, b) => (a.seriesInstanceUid < b.seriesInstanceUid ? -1 : 1));
  const chosen: VolumeAddress[] = [];
  for (const { studyInstanceUid, seriesInstanceUid } of shuffle(ordered, Random.for(seed, 'unlabelled'))) {
    if (chosen.length === unlabelledSeries) break;
    const { heldOut } = await subjectOf(studyInstanceUid, planning);
    if (!heldOut) chosen.push({ studyInstanceUid, seriesInstanceUid, volume: '' });
  }
  return chosen;
}
