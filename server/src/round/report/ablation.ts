import { armNames, arms } from '../ablation/arms.ts';
import { findingsOf } from '../ablation/findings.ts';
import { type AblationRecipe, nameOf, scheduleOf } from '../ablation/recipe.ts';
import type { AblationRow } from '../ablation/run.ts';
import { cellsOf, estimate, summarise, summaryHead } from '../ablation/summary.ts';
import { facts, type Html, html, list, page, raw, table } from './html.ts';
import { dotChart, type Group } from './plots.ts';

/** A chart of one task. */
export interface AblationChart {
  readonly task: string;
  /** In kebab-case, of a file. */
  readonly name: string;
  readonly title: string;
  /** @returns an `<svg>` element. */
  draw(): Promise<string>;
}

/** By task the Dice of each arm, and that of its pseudo labels where there are any; one dot a run. */
export function ablationCharts(rows: readonly AblationRow[]): readonly AblationChart[] {
  return tasksOf(rows).flatMap((task) => {
    const of = rows.filter((row) => row.task === task);
    const chart = (name: string, what: string, by: (row: AblationRow) => number | null): readonly AblationChart[] => {
      const title = `${task}: ${what} of each arm; a dot is a run, the bar the mean, the line its 95 % interval`;
      const groups = groupsOf(of, by);
      return groups.length > 0 ? [{ task, name, title, draw: () => dotChart({ title, x: what, groups }) }] : [];
    };
    return [
      ...chart(task, 'test Dice', ({ dice }) => dice),
      ...chart(`${task}-pseudo-labels`, 'Dice of the pseudo labels', ({ pseudoDice }) => pseudoDice),
    ];
  });
}

/** The report of an ablation as one HTML page. */
export async function ablationReport(recipe: AblationRecipe, rows: readonly AblationRow[]): Promise<string> {
  const charts = ablationCharts(rows);
  const sections: (readonly [string, Html])[] = [['How it was measured', setting(recipe)]];
  for (const task of tasksOf(rows)) {
    const drawn: Html[] = [];
    for (const chart of charts) if (chart.task === task) drawn.push(raw(await chart.draw()));
    sections.push([task, html`${drawn}${armTable(rows, task)}${list(findingsOf(rows, task))}`]);
  }
  return page('Ablation: what each part of the method adds', sections);
}

function tasksOf(rows: readonly AblationRow[]): readonly string[] {
  return [...new Set(rows.map(({ task }) => task))];
}

function groupsOf(rows: readonly AblationRow[], by: (row: AblationRow) => number | null): readonly Group[] {
  return armNames.flatMap((arm) => {
    const runs = rows.flatMap((row) => {
      const value = row.arm === arm ? by(row) : null;
      return value === null ? [] : [{ labelled: row.labelled, value }];
    });
    if (runs.length === 0) return [];
    const interval = estimate(runs);
    const name = `${arms[arm].title} (${runs.length})`;
    const values = runs.map(({ value }) => value);
    // No Dice lies beyond 0 and 1, as the ends of a t interval of few sets may.
    return [
      interval ? { name, values, interval: [Math.max(0, interval.low), Math.min(1, interval.high)] } : { name, values },
    ];
  });
}

function setting({ teacher, variant, sizePx, spacingMm, ...recipe }: AblationRecipe): Html {
  const steps = recipe.tasks.map((task): readonly [string, string] => {
    const { stage1, stage2 } = scheduleOf(recipe, task);
    return [`Steps, ${nameOf(task)}`, `${stage1.steps} in stage 1, ${stage2.steps} in stage 2`];
  });
  return html`${facts([
    ['Student', `prob-unet-2d, ${variant}, ${sizePx} x ${sizePx} pixels of ${spacingMm} mm`],
    ['Generalized teacher', teacher],
    ...steps,
  ])}
<p class="note">Every arm of a run starts from the same stage 1. Dice: student of the last step, mean over the test subjects. Validated: the weights that were best on the
validation subjects. Pseudo labels: Dice of what the unlabelled slices would be taught at the end. Intervals are Student's
t over the labelled sets, seeds of one set averaged first.</p>`;
}

function armTable(rows: readonly AblationRow[], task: string): Html {
  const ofTask = summarise(rows).filter((of) => of.task === task);
  return table(summaryHead, ofTask.map(cellsOf));
}
