import { medianOf } from '../../server/src/round/statistics.ts';
import type { Timing } from './peer.ts';
import { numbersOf, type Row } from './record.ts';
import { shorten } from './spread.ts';

/** One side of a comparison: a turn of it. */
export type Turn = () => Promise<Timing>;

/**
 * Ours and PyTorch's turns, alternating; the first ones warm up and leave no row.
 *
 * @param labels first columns of every row.
 */
export async function takeTurns(
  labels: Row,
  sides: { readonly ours: Turn; readonly torch: Turn },
  count: { readonly warmUps: number; readonly pairs: number },
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let pair = 1 - count.warmUps; pair <= count.pairs; pair += 1) {
    const { ms: oursMs, ...parts } = await sides.ours();
    const { ms: torchMs } = await sides.torch();
    if (pair < 1) continue;
    const times = Object.entries({ oursMs, torchMs, ...parts }).map(([name, ms]) => [name, Number(ms.toFixed(1))]);
    const row: Row = { ...labels, pair, ...Object.fromEntries(times) };
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
