import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import type { RoundVerdict } from '../jobs/rounds.ts';
import { openBlobStore } from '../store/blobs.ts';
import { listRounds } from '../store/rounds.ts';
import type { Outcome } from './output.ts';
import { caseRows, describeRound, type JudgedRound, renderRound } from './round-report.ts';
import { withDatabase } from './state.ts';

const verdict = z.object({ outcome: z.string(), reason: z.string() });

/** Lists rounds, newest first. */
export async function runRounds(model: string | undefined): Promise<Outcome> {
  const rows = await readRounds(model);
  const rounds = rows.map(({ plan: _plan, ...row }) => row);
  const lines = rows.map((row) => {
    const found = verdict.safeParse(row.verdict);
    const end = found.success ? `${found.data.outcome}: ${found.data.reason}` : (row.error?.message ?? row.state);
    return `${row.id.slice(0, 8)}  ${row.createdAt.toISOString()}  ${row.modelName}@${row.fromVersion}  ${end}`;
  });
  return { json: { rounds }, lines: lines.length > 0 ? lines : ['There is no round yet.'] };
}

/**
 * Shows one round case by case.
 *
 * @param wanted its id, or how that begins.
 * @param report where to write a page with pictures of what lost most; none without.
 */
export async function runRound(wanted: string, report: string | undefined): Promise<Outcome> {
  const found = (await readRounds(undefined)).filter(({ id }) => id.startsWith(wanted.toLowerCase()));
  const [row] = found;
  if (!row || found.length > 1)
    throw new AppError('round-not-found', `${found.length} rounds have an id that begins so.`);
  const { plan: _plan, ...json } = row;
  if (!row.verdict) return { json, lines: [row.error?.message ?? `The round is ${row.state}; there is no verdict.`] };
  const round: JudgedRound = { ...row, verdict: row.verdict as RoundVerdict };
  const width = Math.max(...round.verdict.cases.map(({ subject }) => subject.length));
  const cases = caseRows(round).map(
    ([subject, before, after]) => `  ${subject.padEnd(width)}  ${before.toFixed(3)} -> ${after.toFixed(3)}`,
  );
  if (report !== undefined) await writeFile(report, renderRound(round, await readPictures(round)));
  return {
    json,
    lines: [
      ...describeRound(round).map(([name, value]) => `${name}: ${value}`),
      `Subjects that never train, what lost most first (Dice, version ${row.fromVersion} -> candidate):`,
      ...cases,
      ...(report === undefined ? [] : [`Page with pictures: ${report}`]),
    ],
  };
}

function readRounds(model: string | undefined) {
  return withDatabase(loadSettings(), async (database) => (database ? listRounds(database, model, 1000) : []));
}

async function readPictures({ verdict: { cases } }: JudgedRound): Promise<ReadonlyMap<string, string>> {
  const blobs = await openBlobStore(join(loadSettings().home, 'blobs'));
  const pictures = new Map<string, string>();
  for (const { subject, picture } of cases)
    if (picture) pictures.set(subject, (await blobs.get(picture)).toString('utf8'));
  return pictures;
}
