import { dotChart, lineChart } from '../../server/src/round/report/plots.ts';
import { meanOf } from '../../server/src/round/statistics.ts';
import { numbersOf, type Plot, type Row, table } from './record.ts';
import { auroc } from './statistics.ts';

/** Dice by condition, risk over coverage, and what the model says of images it was not made for; model by model. */
export function robustnessReport(rows: readonly Row[]): string {
  return modelsOf(rows)
    .map((model) => {
      const of = rows.filter((row) => row['model'] === model);
      return [`## ${model}`, conditionTable(of), pixelTable(of), strangerTable(of)].filter(Boolean).join('\n\n');
    })
    .join('\n\n');
}

/** Dice by condition of each model, and the risk over coverage of all. */
export function robustnessPlots(rows: readonly Row[]): readonly Plot[] {
  const dots = modelsOf(rows).map((model): Plot => {
    const title = `Dice of ${model} by condition; one dot a subject, the bar is the mean`;
    const of = ofKind(rows, 'dice').filter((row) => row['model'] === model);
    const groups = conditionsOf(of).map(({ factor, level, rows: here }) => ({
      name: factor === 'none' ? level : `${factor}: ${level}`,
      values: numbersOf(here, 'dice'),
    }));
    return { name: model, title, draw: () => dotChart({ title, x: 'Dice', groups }) };
  });
  const series = modelsOf(ofKind(rows, 'risk')).map((name) => ({
    name,
    points: ofKind(rows, 'risk')
      .filter((row) => row['model'] === name)
      .map((row) => ({ x: Number(row['coverage']), y: Number(row['error']) })),
  }));
  const title = 'Share of wrong pixels over the share of pixels kept, the surest first';
  const chart = { title, x: 'share of pixels kept, the surest first', y: 'share of them that is wrong', series };
  return [...dots, ...(series.length > 0 ? [{ name: 'risk', title, draw: () => lineChart(chart) }] : [])];
}

function modelsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.map((row) => String(row['model'])))];
}

function ofKind(rows: readonly Row[], what: string): readonly Row[] {
  return rows.filter((row) => row['what'] === what);
}

function conditionsOf(rows: readonly Row[]) {
  const named = new Map<string, { factor: string; level: string; rows: Row[] }>();
  for (const row of rows) {
    const [factor, level] = [String(row['factor']), String(row['level'])];
    const key = `${factor} ${level}`;
    const condition = named.get(key) ?? { factor, level, rows: [] };
    named.set(key, condition);
    condition.rows.push(row);
  }
  return [...named.values()];
}

function conditionTable(of: readonly Row[]): string {
  const rows = ofKind(of, 'dice');
  const bySegment = Object.keys(rows[0] ?? {}).filter((key) => key.startsWith('dice of '));
  const lines = conditionsOf(rows).map(({ factor, level, rows: here }) => {
    const dice = numbersOf(here, 'dice');
    const means = bySegment.map((key) => figure(meanOf(numbersOf(here, key))));
    const spread = [meanOf(dice), Math.min(...dice), Math.max(...dice)].map(figure);
    return [factor, level, ...spread, ...means, figure(meanOf(numbersOf(here, 'meanEntropy')))];
  });
  return table(['what differs', 'how', 'Dice, mean', 'least', 'most', ...bySegment, 'mean entropy'], lines);
}

/** Empty where the model was not measured pixel by pixel. */
function pixelTable(of: readonly Row[]): string {
  const risk = ofKind(of, 'risk').map((row) => [String(row['coverage']), String(row['error'])]);
  const [calibration] = numbersOf(ofKind(of, 'calibration'), 'expectedCalibrationError');
  if (risk.length === 0) return '';
  const title = 'Risk over coverage: share of wrong pixels when the least sure ones are left out.';
  return `${title}\n\n${table(['kept', 'wrong'], risk)}\n\nExpected calibration error: ${calibration}.`;
}

function strangerTable(of: readonly Row[]): string {
  const known = ofKind(of, 'dice');
  const strangers = ofKind(of, 'stranger');
  const line = (kind: string, here: readonly Row[]) => [
    kind,
    here.length,
    figure(share(here, 'isMissing')),
    figure(share(here, 'isStrange')),
    range(numbersOf(here, 'meanEntropy')),
    figure(auroc(numbersOf(here, 'meanEntropy'), numbersOf(known, 'meanEntropy'))),
    figure(auroc(numbersOf(here, 'uncertainty'), numbersOf(known, 'uncertainty'))),
  ];
  const kinds = [...new Set(strangers.map((row) => String(row['kind'])))];
  const lines = kinds.map((kind) =>
    line(
      kind,
      strangers.filter((row) => row['kind'] === kind),
    ),
  );
  const head = [
    'image',
    'volumes',
    'share with a segment missing',
    'share called strange',
    'mean entropy',
    'AUROC of it',
    'AUROC of the uncertainty',
  ];
  const about =
    `What the model was not made for, against the ${known.length} studies above. AUROC: how often such an image scores ` +
    'higher than a study; 0.5 is chance, below it the image passes for a better one; aim 0.95. Of the studies ' +
    `${calledStrange(known)} are called strange, too.`;
  return `${about}\n\n${table(head, [...lines, line('all of them', strangers)])}`;
}

/** Which of the studies, by condition. */
function calledStrange(known: readonly Row[]): string {
  const called = known.filter(({ isStrange }) => isStrange === true);
  const conditions = conditionsOf(called).map(({ factor, level, rows }) => `${factor}, ${level}: ${rows.length}`);
  return `${called.length}${conditions.length > 0 ? ` (${conditions.join('; ')})` : ''}`;
}

function share(rows: readonly Row[], key: string): number {
  return meanOf(rows.flatMap(({ [key]: value }) => (typeof value === 'boolean' ? [Number(value)] : [])));
}

function range(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(figure);
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** `-` for what was not measured. */
function figure(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : '-';
}
