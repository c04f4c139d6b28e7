import { medianOf } from '../../server/src/round/statistics.ts';
import { numbersOf, type Row, table } from './record.ts';

/** A line of a table of medians: a key of the rows and what it is called. */
export type SpreadLine = readonly [key: string, text: string];

/** Median, least and greatest of each key. Keys that no row has are left out. */
export function spreadTable(rows: readonly Row[], lines: readonly SpreadLine[]): string {
  const measured = lines.flatMap(([key, text]) => {
    const values = numbersOf(rows, key);
    if (values.length === 0) return [];
    const cells = [medianOf(values), Math.min(...values), Math.max(...values)].map(shorten);
    return [[text, ...cells, values.length] as const];
  });
  return table(['', 'median', 'least', 'most', 'runs'], measured);
}

/** Three significant digits at most behind the point, none from 100 on. */
export function shorten(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
