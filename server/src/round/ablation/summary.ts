import { interval95, meanOf, medianOf, sdOf } from '../statistics.ts';
import { type ArmName, armNames, arms } from './arms.ts';
import type { AblationRow } from './run.ts';

/** Mean, spread and, against another arm, the paired difference of one figure. */
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
export function summarise(rows: readonly AblationRow[], against: ArmName = 'mean-teacher'): readonly ArmSummary[] {
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
          gain: arm === against ? null : gainOf(rows, task, arm, against),
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

/** The summary as a Markdown table. */
export function renderSummary(rows: readonly AblationRow[], against: ArmName = 'mean-teacher'): string {
  const figure = (value: number | null) => (value === null ? '' : value.toFixed(3));
  const head = [
    'task',
    'arm',
    'runs',
    'Dice',
    'sd',
    'EMA',
    'validated',
    'pseudo labels',
    'ms a step',
    `against ${against} (95 %)`,
  ];
  const lines = summarise(rows, against).map((of) => [
    of.task,
    of.title,
    String(of.runs),
    figure(of.mean),
    figure(of.sd),
    figure(of.ema),
    figure(of.validated),
    figure(of.pseudo),
    of.stepMs === null ? '' : of.stepMs.toFixed(0),
    of.gain ? describeGain(of.gain) : '',
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A difference with its interval, each with its sign. */
export function describeGain({ mean, low, high }: Estimate): string {
  const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
  return `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}
