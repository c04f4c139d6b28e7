import { z } from 'zod';
import { loadSettings } from '../config/load.ts';
import { listRounds } from '../store/rounds.ts';
import type { Outcome } from './output.ts';
import { withDatabase } from './state.ts';

const verdict = z.object({ outcome: z.string(), reason: z.string() });

/** Lists rounds, newest first. */
export async function runRounds(model: string | undefined): Promise<Outcome> {
  const rows = await withDatabase(loadSettings(), async (database) => (database ? listRounds(database, model) : []));
  const rounds = rows.map(({ plan: _plan, ...row }) => row);
  const lines = rows.map((row) => {
    const found = verdict.safeParse(row.verdict);
    const end = found.success ? `${found.data.outcome}: ${found.data.reason}` : (row.error?.message ?? row.state);
    return `${row.createdAt.toISOString()}  ${row.modelName}@${row.fromVersion}  ${end}`;
  });
  return { json: { rounds }, lines: lines.length > 0 ? lines : ['There is no round yet.'] };
}
