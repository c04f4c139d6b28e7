import { setTimeout } from 'node:timers/promises';
import { medianOf } from '../../server/src/round/statistics.ts';
import type { Timing } from './peer.ts';
import { numbersOf, type Row } from './record.ts';
import { shorten } from './spread.ts';

/** Threads of a side go on spinning for a while after its turn, and would take the cores from the other one. */
const restMs = 300;

/** One side of a comparison: a turn of it. */
export type Turn = () => Promise<Timing>;

/**
 * The turns of all sides, alternating, with a rest before each; the first ones warm up and leave no row. A row holds `NAMEMs` of every side, and
 * the parts of ours.
 *
 * @param labels first columns of every row.
 */
export async function takeTurns(
  labels: Row,
  sides: Readonly<Record<string, Turn>> & { readonly ours: Turn },
  count: { readonly warmUps: number; readonly pairs: number },
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let pair = 1 - count.warmUps; pair <= count.pairs; pair += 1) {
    const times: Record<string, number> = {};
    for (const [name, turn] of Object.entries(sides)) {
      await setTimeout(restMs);
      const { ms, ...parts } = await turn();
      Object.assign(times, { [`${name}Ms`]: ms }, name === 'ours' ? parts : {});
    }
    if (pair < 1) continue;
    const rounded = Object.entries(times).map(([name, ms]) => [name, Number(ms.toFixed(ms < 10 ? 2 : 1))]);
    const row: Row = { ...labels, pair, ...Object.fromEntries(rounded) };
    tell(JSON.stringify(row));
    rows.push(row);
  }
  return rows;
}

export const ratioHead = ['ours, ms', 'PyTorch, ms', 'PyTorch / ours', 'of single pairs', 'pairs'] as const;

/** Medians of both sides, their ratio, the range of the ratios pair by pair; under {@link ratioHead}. */
export function ratioCells(rows: readonly Row[]): readonly (string | number)[] {
  const [ours, torch] = [numbersOf(rows, 'oursMs'), numbersOf(rows, 'torchMs')];
  const ratios = torch.map((ms, pair) => ms / (ours[pair] ?? Number.NaN));
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  return [shorten(medianOf(ours)), shorten(medianOf(torch)), ratioOf(rows).toFixed(2), range, rows.length];
}

/** How many times as fast as PyTorch we are, by the medians. */
export function ratioOf(rows: readonly Row[]): number {
  return medianOf(numbersOf(rows, 'torchMs')) / medianOf(numbersOf(rows, 'oursMs'));
}
