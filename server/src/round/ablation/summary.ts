import { interval95, meanOf, medianOf, sdOf } from '../statistics.ts';
import { type ArmName, armNames, arms } from './arms.ts';
import type { AblationRow } from './run.ts';

/** What every arm is compared with. */
const baseline: ArmName = 'mean-teacher';

/** Mean, spread and, against the mean teacher, the paired difference of one figure. */
export interface ArmSummary {
  readonly task: string;
  readonly arm: ArmName;
  readonly title: string;
  readonly runs: number;
  readonly mean: number;
  /** Standard deviation over the runs. */
  readonly sd: number;
  /** Of the EMA in the student's place. */
  readonly ema: number;
  readonly validated: number;
  readonly pseudo: number | null;
  /** Median over the runs, of stage 2; null without one. */
  readonly stepMs: number | null;
  /** Against the mean teacher, over runs with the same labelled subjects and seed. */
  readonly gain: Estimate | null;
}

/** Mean of one figure with its 95 % interval (Student's t over the labelled sets). */
export interface Estimate {
  /** Labelled sets; runs of one set count once, by their mean: sets are what differs from site to site. */
  readonly sets: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One line for each task and arm, in the order of the table of arms. */
export function summarise(rows: readonly AblationRow[]): readonly ArmSummary[] {
  const tasks = [...new Set(rows.map(({ task }) => task))];
  return tasks.flatMap((task) =>
    armNames.flatMap((arm) => {
      const of = rows.filter((row) => row.task === task && row.arm === arm);
      if (of.length === 0) return [];
      const pseudo = of.map((row) => row.pseudoDice).filter((value) => value !== null);
      const steps = of.map(({ stepMs }) => stepMs).filter((value) => value !== null);
      return [
        {
          task,
          arm,
          title: arms[arm].title,
          runs: of.length,
          mean: meanOf(of.map(({ dice }) => dice)),
          sd: sdOf(of.map(({ dice }) => dice)),
          ema: meanOf(of.map(({ diceEma }) => diceEma)),
          validated: meanOf(of.map(({ diceValidated }) => diceValidated)),
          pseudo: pseudo.length > 0 ? meanOf(pseudo) : null,
          stepMs: steps.length > 0 ? medianOf(steps) : null,
          gain: arm === baseline ? null : gainOf(rows, task, arm, baseline),
        },
      ];
    }),
  );
}

/** Paired difference of two arms, `by` the figure. Null with fewer than two labelled sets. */
export function gainOf(
  rows: readonly AblationRow[],
  task: string,
  arm: ArmName,
  against: ArmName,
  by: (row: AblationRow) => number = ({ dice }) => dice,
): Estimate | null {
  const pairs = rows
    .filter((row) => row.task === task && row.arm === arm)
    .flatMap((row) => {
      const other = rows.find(
        (one) => one.task === task && one.arm === against && one.labelled === row.labelled && one.seed === row.seed,
      );
      return other ? [{ labelled: row.labelled, value: by(row) - by(other) }] : [];
    });
  return estimate(pairs);
}

/** Mean over the labelled sets of one value a run. Null with fewer than two sets. */
export function estimate(runs: readonly { readonly labelled: string; readonly value: number }[]): Estimate | null {
  const sets = new Map<string, number[]>();
  for (const { labelled, value } of runs) sets.set(labelled, [...(sets.get(labelled) ?? []), value]);
  const values = [...sets.values()].map(meanOf);
  if (values.length < 2) return null;
  return { sets: values.length, mean: meanOf(values), ...interval95(values) };
}

/** Heads of the columns of {@link cellsOf}. */
export const summaryHead: readonly string[] = [
  'Arm',
  'Runs',
  'Dice',
  'sd',
  'EMA',
  'Validated',
  'Pseudo labels',
  'ms a step',
  'Against mean teacher (95 %)',
];

/** An arm as a line of a table; empty where there is nothing to tell. */
export function cellsOf(of: ArmSummary): readonly string[] {
  const figure = (value: number | null) => (value === null ? '' : value.toFixed(3));
  return [
    of.title,
    String(of.runs),
    ...[of.mean, of.sd, of.ema, of.validated, of.pseudo].map(figure),
    of.stepMs === null ? '' : of.stepMs.toFixed(0),
    of.gain ? describeGain(of.gain) : '',
  ];
}

/** The summary as a Markdown table. */
export function renderSummary(rows: readonly AblationRow[]): string {
  const head = ['Task', ...summaryHead];
  const lines = summarise(rows).map((of) => [of.task, ...cellsOf(of)]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A difference with its interval, each with its sign. */
export function describeGain({ mean, low, high }: Estimate): string {
  const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
  return `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}
