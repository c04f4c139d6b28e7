import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { parseAblation } from '../../server/src/round/ablation/recipe.ts';
import { ablate } from '../../server/src/round/ablation/run.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { memoryCache } from '../../server/src/uncol/teachers/embedding-cache.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { writeTinyTeacher } from '../fixtures/tiny-teacher.ts';

const { root, skip } = await findSampleRoot();
const place = await mkdtemp(join(tmpdir(), 'uncol-ablation-'));
after(() => rm(place, { recursive: true }));

const parts = {
  task: 'parts',
  ...{
    runs: [{ labelled: [100], seed: 1 }],
    training: [100, 101],
    validation: [102],
    test: [103],
    slicesPerSubject: 4,
  },
};
const stage1 = { steps: 6, learningRate: 2e-3, batch: 3 };
const recipe = parseAblation(
  JSON.stringify({
    ...{
      schema: 1,
      teacher: 'tiny',
      variant: 'lite',
      sizePx: 48,
      spacingMm: 4,
      highPercentile: 99,
      augmentation: 'mild',
      dropout: true,
    },
    tasks: [
      {
        task: 'brain',
        arms: ['stage-1', 'mean-teacher', 'ungated', 'uncol', 'uncol-visual', 'uncol-distilled', 'full'],
        ...{
          runs: [
            { labelled: [100], seed: 1 },
            { labelled: [101], seed: 2 },
          ],
          training: [100, 101, 102],
          validation: [103],
          test: [104],
          slicesPerSubject: 6,
        },
      },
      { ...parts, arms: ['uncol-no-vit', 'uncol'] },
      { ...parts, name: 'parts-by-class', arms: ['uncol'], stage1: { ...stage1, drawsByClass: true } },
    ],
    stage1,
    stage2: { steps: 4, learningRate: 1e-3, pairs: 1, validateEvery: 2 },
  }),
);

test('every arm runs to an honest row, and a stopped ablation goes on to the same rows', { skip }, async () => {
  await writeTinyTeacher(join(place, 'manifests'), join(place, 'files'));
  const teacher = await openTeacher('tiny', {
    ...{ manifests: join(place, 'manifests'), files: join(place, 'files'), cache: memoryCache(200) },
    open: foreignGraphOpener({ threads: 2 }),
  });
  const common = { colin: await loadColin27(root), engine: createOnnxEngine({ threads: 2 }), teacher };
  const folder = join(place, 'out');
  const stop = new AbortController();
  const stopped = ablate(recipe, {
    ...common,
    folder,
    signal: stop.signal,
    onRow: (_row, done) => done === 7 && stop.abort(),
  });
  await assert.rejects(stopped, (error) => error instanceof AppError && error.code === 'job-cancelled');
  await appendFile(join(folder, 'rows.jsonl'), '{"task":"brain","arm":"unc');
  const resumed: number[] = [];
  const rows = await ablate(recipe, { ...common, folder, onRow: (_row, done) => resumed.push(done) });
  assert.equal(resumed[0], 8, 'what was done is not done again');
  assert.equal(rows.length, 2 * 7 + 2 + 1);
  const [uncol, branchless, byClass] = rows.slice(-3);
  assert.deepEqual([uncol?.arm, branchless?.arm, byClass?.task], ['uncol', 'uncol-no-vit', 'parts-by-class']);
  assert.notEqual(uncol?.dice, branchless?.dice);
  assert.notEqual(uncol?.dice, byClass?.dice, 'a stage 1 of its own');
  const text = await readFile(join(folder, 'rows.jsonl'), 'utf8');
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    rows,
  );

  const whole = await ablate(recipe, { ...common, folder: join(place, 'whole') });
  const timeless = (all: typeof rows) => all.map(({ stepMs: _, ...row }) => row);
  assert.deepEqual(timeless(rows), timeless(whole));

  const of = (arm: string) => rows.find((row) => row.arm === arm && row.task === 'brain') ?? assert.fail(arm);
  for (const row of rows) {
    assert.ok(row.dice >= 0 && row.dice <= 1 && row.diceValidated >= 0, JSON.stringify(row));
    assert.equal(row.diceByClass.length, row.task.startsWith('parts') ? 6 : 1);
  }
  assert.deepEqual([of('stage-1').pseudoDice, of('full').pseudoDice], [null, null]);
  assert.ok(of('mean-teacher').admitted === null && of('mean-teacher').pseudoDice !== null);
  assert.deepEqual(of('ungated').admitted, [true]);
  assert.equal(of('uncol').admitted?.length, 1);
  const distinct = new Set(
    ['stage-1', 'mean-teacher', 'ungated', 'uncol-distilled', 'full'].map((arm) => of(arm).dice),
  );
  assert.ok(distinct.size > 3, 'arms differ');
  // A recipe with one arm less finds all it wants, one of another size nothing.
  const [task] = recipe.tasks;
  const less = { ...recipe, tasks: [{ ...task!, arms: task!.arms.slice(0, 3) }] };
  const again = await ablate(less, { ...common, folder, onRow: () => assert.fail('nothing is left to run') });
  assert.equal(again.length, 6);
  const wider = { ...less, sizePx: 64 };
  const halt = new AbortController();
  halt.abort();
  await assert.rejects(ablate(wider, { ...common, folder, signal: halt.signal }), AppError);
  await teacher.dispose();
});
