import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { availableThreads } from '../../server/src/engine/threads.ts';

const rowSchema = z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]));
const recordSchema = z.strictObject({
  command: z.string(),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.int(),
    memoryGib: z.int(),
    /** Where one was used. */
    gpu: z.string().optional(),
    node: z.string(),
    /** Load average of the minute before: what else the machine was doing. Null where nobody wrote it down. */
    loadBefore: z.number().nullable(),
  }),
  date: z.iso.date(),
  /** Of the code measured; `+` behind it when the measured code was not committed. */
  commit: z.string(),
  rows: z.array(rowSchema).min(1),
});

/** One run or seed. Units stand in the names: `totalMs`, `serverMib`. */
export type Row = Readonly<z.infer<typeof rowSchema>>;
/** What `NAME.json` holds. */
export type BenchRecord = Readonly<z.infer<typeof recordSchema>>;

/** A chart of a bench. */
export interface Plot {
  /** In kebab-case, behind the name of the bench. */
  readonly name: string;
  readonly title: string;
  /** @returns an `<svg>` element. */
  draw(): Promise<string>;
}

/** Something measured. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  /** What is measured and how, one paragraph. */
  readonly about: string;
  /** Measures; `tell` shows progress. */
  run(tell: (line: string) => void): Promise<readonly Row[]>;
  /** The rows as Markdown. A function of the rows alone. */
  report(rows: readonly Row[]): string;
  /** Charts of the rows, likewise. */
  plots?(rows: readonly Row[]): readonly Plot[];
}

/** `test/bench`. */
export const benchFolder = dirname(fileURLToPath(import.meta.url));

/** Measures, and writes `NAME.json`, `NAME.md` and its charts. */
export async function measure(bench: Bench, tell: (line: string) => void, folder = benchFolder): Promise<BenchRecord> {
  const head = {
    command: [...narrowed(), `npm run bench -- ${bench.name}`].join(' '),
    machine: describeMachine(),
    date: new Date().toISOString().slice(0, 10),
    commit: describeCommit(),
  };
  const record: BenchRecord = { ...head, rows: [...(await bench.run(tell))] };
  // One row a line, so that two runs can be compared by eye.
  const lines = record.rows.map((row) => `    ${JSON.stringify(row)}`).join(',\n');
  const text = JSON.stringify(head, null, 2).replace(/\n\}$/, '');
  await writeFile(join(folder, `${bench.name}.json`), `${text},\n  "rows": [\n${lines}\n  ]\n}\n`);
  await writeReport(bench, record, folder);
  return record;
}

/** Writes `NAME.md` and its charts, `NAME-PLOT.svg`. */
export async function writeReport(bench: Bench, record: BenchRecord, folder = benchFolder): Promise<void> {
  await writeFile(join(folder, `${bench.name}.md`), renderRecord(bench, record));
  for (const plot of plotsOf(bench, record)) await writeFile(join(folder, plot.file), await drawPlot(plot));
}

/** The charts of a record with the files they lie in. */
export function plotsOf(bench: Bench, { rows }: BenchRecord): readonly (Plot & { readonly file: string })[] {
  return (bench.plots?.(rows) ?? []).map((plot) => ({ ...plot, file: `${bench.name}-${plot.name}.svg` }));
}

/** A chart as a file: on white, because a page that shows it may be dark. */
export async function drawPlot({ draw }: Plot): Promise<string> {
  return `${(await draw()).replace('<svg ', '<svg style="background:#fff" ')}\n`;
}

/** Whether there is a record of this name. */
export function hasRecord(name: string, folder = benchFolder): boolean {
  return existsSync(join(folder, `${name}.json`));
}

/** @throws Error when there is no such file or it is no record. */
export function readRecord(name: string, folder = benchFolder): BenchRecord {
  return recordSchema.parse(JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')));
}

/** `NAME.md` of a record. */
export function renderRecord(bench: Bench, record: BenchRecord): string {
  const { cpu, cores, memoryGib, gpu, node, loadBefore } = record.machine;
  const load = loadBefore === null ? '' : `, load ${loadBefore} before`;
  const machine = `${gpu === undefined ? '' : `${gpu}, `}${cpu}, ${cores} cores, ${memoryGib} GiB, Node ${node}${load}`;
  return `# ${bench.title}

${bench.about}

${[...plotsOf(bench, record).map(({ title, file }) => `![${title}](${file})`), bench.report(record.rows)].join('\n\n')}

\`${record.command}\`, ${machine}, ${record.date}, commit ${record.commit}
`;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The numbers of one key, in the order of the rows; rows without it are left out. */
export function numbersOf(rows: readonly Row[], key: string): number[] {
  return rows.flatMap((row) => (typeof row[key] === 'number' ? [row[key]] : []));
}

/** The variables that say what a bench measures and with what, as they stand before a command. */
function narrowed(): readonly string[] {
  const set = Object.entries(process.env).filter(([name]) => name.startsWith('UNCOL_BENCH_'));
  return set.map(([name, value]) => `${name}=${value}`);
}

function describeMachine(): BenchRecord['machine'] {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableThreads().count,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(1)),
  };
}

/** `UNCOL_COMMIT` on a machine that got the files without their history. */
function describeCommit(): string {
  const told = process.env['UNCOL_COMMIT'];
  if (told) return told;
  const git = (...args: string[]) => execFileSync('git', args, { cwd: benchFolder, encoding: 'utf8' }).trim();
  const top = git('rev-parse', '--show-toplevel');
  const code = ['server', 'extension/src', 'models', 'test/bench', 'package.json'].map((path) => join(top, path));
  const changed = git('status', '--porcelain', '--', ...code)
    .split('\n')
    .filter((line) => line !== '' && !/test\/bench\/[a-z-]+\.(json|md)$/.test(line));
  return git('rev-parse', '--short=10', 'HEAD') + (changed.length > 0 ? '+' : '');
}
