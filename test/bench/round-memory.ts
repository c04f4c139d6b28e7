import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { medianOf } from '../../server/src/round/statistics.ts';
import { type Bench, numbersOf, type Row } from './record.ts';
import { shorten, spreadTable } from './spread.ts';

const pools = [10, 100] as const;
const runs = 5;
const child = fileURLToPath(new URL('./round-memory-child.ts', import.meta.url));

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let n = 1; n <= runs; n++) {
    for (const studies of pools) {
      const folder = await mkdtemp(join(tmpdir(), 'uncol-bench-'));
      const args = ['--import', import.meta.resolve('tsx'), child, String(studies), String(n), folder];
      const { stdout } = await promisify(execFile)(process.execPath, args).finally(() =>
        rm(folder, { recursive: true }),
      );
      rows.push({ studies, run: n, ...(JSON.parse(stdout) as Row) });
      tell(JSON.stringify(rows.at(-1)));
    }
  }
  return rows;
}

function report(rows: readonly Row[]): string {
  const of = (studies: number) => rows.filter((row) => row['studies'] === studies);
  const median = (studies: number, key: string) => medianOf(numbersOf(of(studies), key));
  const [few, many] = pools;
  const parts = pools.map((studies) => {
    const lines = [
      ['peakMib', '**peak of the process, MiB**'],
      ['corrections', 'corrections that the round takes'],
    ] as const;
    return `${studies} corrected studies:\n\n${spreadTable(of(studies), lines)}`;
  });
  const ratio = median(many, 'peakMib') / median(few, 'peakMib');
  return `${parts.join('\n\n')}\n\nTen times the studies take ${shorten(ratio)} times the memory.`;
}

/** Whether the memory of a round grows with the pool. */
export const roundMemory: Bench = {
  name: 'round-memory',
  title: 'Memory of a round in a growing pool',
  about: `A round of lesion-mr (full student, both ways of learning, 20 steps of each, no generalized teacher) in a process of its own, in pools of ${pools.join(' and ')} corrected studies with 40 approved slices each, half of them new; six more series are unlabelled. Series are generated one by one as the round reads them.`,
  run,
  report,
};
