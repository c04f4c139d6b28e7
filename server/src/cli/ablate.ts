import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import { parseAblation } from '../round/ablation/recipe.ts';
import { type AblationRow, ablate } from '../round/ablation/run.ts';
import { renderSummary, summarise } from '../round/ablation/summary.ts';
import { writeDurably } from '../round/checkpoint.ts';
import { ablationReport } from '../round/report/ablation.ts';
import { loadColin27 } from '../sample/colin27.ts';
import { unpackDebian } from '../setup/debian.ts';
import { samplePackages } from '../setup/prepare.ts';
import { createSteps } from '../setup/steps.mjs';
import { openForCommand } from './engine.ts';
import { interruption, type Outcome } from './output.ts';
import { openTeacherFor } from './teacher.ts';

/** Runs the ablation; Ctrl-C stops after the running arm, and the same command goes on from there. */
export async function runAblate(recipePath: string, folder: string): Promise<Outcome> {
  const settings = loadSettings();
  const text = await readFile(recipePath, 'utf8').catch((cause) => {
    throw new AppError('recipe-invalid', `${recipePath} cannot be read.`, {}, { cause });
  });
  const recipe = parseAblation(text);
  const signal = interruption('Stopping after this arm; the same command goes on from there ...');
  const sampleRoot = await createSteps().run('Sample volumes', (progress) =>
    unpackDebian(settings.home, samplePackages, progress),
  );
  const teacher = await openTeacherFor(settings, recipe.teacher, 2);
  const started = performance.now();
  let ran = 0;
  const showRow = (row: AblationRow, done: number, all: number) => {
    ran += 1;
    const minutes = ((performance.now() - started) / 60_000 / ran) * (all - done);
    const { task, arm, labelled, seed, dice } = row;
    const left = `${done} of ${all}, about ${Math.ceil(minutes)} min left`;
    process.stderr.write(`${task} ${arm}, labelled ${labelled}, seed ${seed}: Dice ${dice.toFixed(3)} (${left})\n`);
  };
  try {
    const colin = await loadColin27(sampleRoot);
    const engine = await openForCommand(settings)();
    const rows = await ablate(recipe, { folder, colin, engine, teacher, onRow: showRow, signal });
    const table = renderSummary(rows);
    await writeDurably(join(folder, 'summary.md'), [Buffer.from(`${table}\n`)]);
    const report = join(folder, 'report.html');
    await writeDurably(report, [Buffer.from(await ablationReport(recipe, rows))]);
    return {
      json: { folder, rows: rows.length, report, summary: summarise(rows) },
      lines: [table, `Charts: ${report}`],
    };
  } finally {
    await teacher.dispose();
  }
}
