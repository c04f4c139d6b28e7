import { type ArmName, arms } from './arms.ts';
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
  readonly validated: number;
  readonly pseudo: number | null;
  /** Against the mean teacher, over runs with the same labelled subjects and seed. */
  readonly gain: Gain | null;
}

/** Mean of paired differences with its 95 % interval (Student's t over the labelled sets). */
export interface Gain {
  readonly pairs: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One line for each task and arm, in the order of the table of arms. */
export function summarise(rows: readonly AblationRow[], against: ArmName = 'mean-teacher'): readonly ArmSummary[] {
  const tasks = [...new Set(rows.map(({ task }) => task))];
  return tasks.flatMap((task) =>
    (Object.keys(arms) as ArmName[]).flatMap((arm) => {
      const of = rows.filter((row) => row.task === task && row.arm === arm);
      if (of.length === 0) return [];
      const pseudo = of.map((row) => row.pseudoDice).filter((value) => value !== null);
      return [
        {
          task,
          arm,
          title: arms[arm].title,
          runs: of.length,
          mean: meanOf(of.map(({ dice }) => dice)),
          sd: sdOf(of.map(({ dice }) => dice)),
          validated: meanOf(of.map(({ diceValidated }) => diceValidated)),
          pseudo: pseudo.length > 0 ? meanOf(pseudo) : null,
          gain: arm === against ? null : gainOf(rows, task, arm, against),
        },
      ];
    }),
  );
}

/**
 * Paired difference of two arms, `by` the figure. Seeds of one labelled set are averaged first: sets are what differs
 * from site to site. Null with fewer than two sets.
 */
export function gainOf(
  rows: readonly AblationRow[],
  task: string,
  arm: ArmName,
  against: ArmName,
  by: (row: AblationRow) => number = ({ dice }) => dice,
): Gain | null {
  const sets = new Map<string, number[]>();
  for (const row of rows.filter((one) => one.task === task && one.arm === arm)) {
    const other = rows.find(
      (one) => one.task === task && one.arm === against && one.labelled === row.labelled && one.seed === row.seed,
    );
    if (other) sets.set(row.labelled, [...(sets.get(row.labelled) ?? []), by(row) - by(other)]);
  }
  const differences = [...sets.values()].map(meanOf);
  if (differences.length < 2) return null;
  const mean = meanOf(differences);
  const half = (pointOf(differences.length - 1) * sdOf(differences)) / Math.sqrt(differences.length);
  return { pairs: differences.length, mean, low: mean - half, high: mean + half };
}

/** The summary as a Markdown table. */
export function renderSummary(rows: readonly AblationRow[], against: ArmName = 'mean-teacher'): string {
  const figure = (value: number | null) => (value === null ? '' : value.toFixed(3));
  const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
  const head = ['task', 'arm', 'runs', 'Dice', 'sd', 'validated', 'pseudo labels', `against ${against} (95 %)`];
  const lines = summarise(rows, against).map((of) => [
    of.task,
    of.title,
    String(of.runs),
    figure(of.mean),
    figure(of.sd),
    figure(of.validated),
    figure(of.pseudo),
    of.gain ? `${signed(of.gain.mean)} (${signed(of.gain.low)} to ${signed(of.gain.high)})` : '',
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a sample; 0 of a single value. */
function sdOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
}

/** Two-sided 95 % points of Student's t for 1 to 12 degrees of freedom. */
const points = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179];

function pointOf(freedom: number): number {
  // Beyond the table, a bound from above.
  return points[freedom - 1] ?? points.at(-1) ?? Number.NaN;
}
