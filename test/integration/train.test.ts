import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { parseRecipe, type Recipe } from '../../server/src/round/recipe.ts';
import { type TrainEvent, train } from '../../server/src/round/train.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { memoryCache } from '../../server/src/uncol/teachers/embedding-cache.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { writeTinyTeacher } from '../fixtures/tiny-teacher.ts';

/** The shipped recipe of the brain student, cut to what a test can wait for: lite network, 48 x 48 pixels of 5 mm. */
async function tinyRecipe(): Promise<Recipe> {
  const shipped = JSON.parse(await readFile(join(import.meta.dirname, '../../models/brain-mr/1/recipe.json'), 'utf8'));
  return parseRecipe(
    JSON.stringify({
      ...shipped,
      labelled: { ...shipped.labelled, seeds: { from: 0, to: 3 } },
      validation: { ...shipped.validation, seeds: { from: 9000, to: 9001 } },
      test: { seeds: { from: 20000, to: 20000 } },
      stage1: {
        ...shipped.stage1,
        steps: 12,
        batch: 4,
        validateEvery: 4,
        refine: { ...shipped.stage1.refine, steps: 8 },
      },
      card: {
        ...shipped.card,
        input: { ...shipped.card.input, spacingMm: [5, 5, 5], sizePx: [48, 48] },
        architecture: { ...shipped.card.architecture, variant: 'lite', inferenceParameters: 827368 },
      },
    }),
  );
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-train-'));
  await run(folder).finally(() => rm(folder, { recursive: true }));
}

const { root, skip } = await findSampleRoot();

test('20 steps give the same bits twice, also when stopped in between, and lower the loss', { skip }, () =>
  withFolder(async (folder) => {
    const recipe = await tinyRecipe();
    const colin = await loadColin27(root);
    const engine = createOnnxEngine({ threads: 2 });
    const losses: number[] = [];
    const run = (name: string, extra: { onEvent?: (event: TrainEvent) => void; signal?: AbortSignal } = {}) =>
      train(recipe, { folder: join(folder, name), colin, engine, ...extra });
    const first = await run('first', { onEvent: (event) => event.kind === 'step' && losses.push(event.loss) });
    await run('second');

    const stop = new AbortController();
    const stopping = run('third', {
      signal: stop.signal,
      onEvent: (event) => event.kind === 'step' && event.step === 14 && stop.abort(),
    });
    await assert.rejects(stopping, (error) => error instanceof AppError && error.code === 'job-cancelled');
    const resumed: number[] = [];
    const third = await run('third', { onEvent: (event) => event.kind === 'step' && resumed.push(event.step) });
    assert.equal(resumed[0], 13, 'it goes on from the checkpoint of step 12, the end of the first phase');

    const bits = (name: string) => readFile(join(folder, name, 'checkpoint.bin'));
    const reference = await bits('first');
    assert.ok(reference.equals(await bits('second')), 'twice the same');
    assert.ok(reference.equals(await bits('third')), 'resumed the same');
    assert.equal(third.weights.sha256, first.weights.sha256);

    const metrics = JSON.parse(await readFile(join(folder, 'first', 'metrics.json'), 'utf8'));
    assert.deepEqual(
      metrics.test.map(({ subject }: { subject: string }) => subject),
      ['sample-20000', 'wide-20000'],
    );
    const [brain] = metrics.segments;
    assert.equal(brain.label, 'brain');
    assert.ok(brain.least <= brain.mean && brain.mean <= brain.most && brain.subjects <= 2);
    assert.match(first.notes.at(-1) ?? '', /^Dice of test subjects: brain 0\.\d{3} /);
    assert.match(await readFile(join(folder, 'first', 'report.html'), 'utf8'), /<figcaption>sample-20000, slice \d+/);

    const changed = { ...recipe, stage1: { ...recipe.stage1, learningRate: 0.5 } };
    const mixing = train(changed, { folder: join(folder, 'third'), colin, engine });
    await assert.rejects(mixing, { code: 'recipe-invalid', message: /another recipe: delete it/ });
    assert.ok(reference.equals(await bits('third')), 'the checkpoint stays');
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(mean(losses.slice(-5)) < 0.8 * mean(losses.slice(0, 5)), 'the loss falls by a fifth or more');
  }),
);

test(
  'both stages with a teacher go on from any checkpoint to the same bits, and the card says who taught',
  { skip },
  () =>
    withFolder(async (folder) => {
      await writeTinyTeacher(join(folder, 'manifests'), join(folder, 'files'));
      const open = () =>
        openTeacher('tiny', {
          ...{ manifests: join(folder, 'manifests'), files: join(folder, 'files'), cache: memoryCache(200) },
          open: foreignGraphOpener({ threads: 2 }),
        });
      const plain = await tinyRecipe();
      const recipe = parseRecipe(
        JSON.stringify({
          ...plain,
          teacher: 'tiny',
          unlabelled: { seeds: { from: 10, to: 11 }, variation: 'sample', slicesPerSubject: 8 },
          stage1: { ...plain.stage1, steps: 8, validateEvery: 4, refine: undefined, isDistilled: true },
          stage2: { steps: 8, learningRate: 1e-3, pairs: 1, validateEvery: 4, visualWeight: 0.1, sliceGate: 0 },
        }),
      );
      const parts = { colin: await loadColin27(root), engine: createOnnxEngine({ threads: 2 }), openTeacher: open };
      const terms = new Set<string>();
      const first = await train(recipe, {
        ...parts,
        folder: join(folder, 'first'),
        onEvent: (event) => {
          if (event.kind === 'step') for (const term of Object.keys(event.terms)) terms.add(term);
        },
      });
      for (const term of ['visual', 'semantic', 'pseudo', 'groundTruth', 'specializedTrust'])
        assert.ok(terms.has(term), term);
      assert.match(
        first.notes.join(' '),
        /visual and semantic distillation.*Bright things in boxes.*Stage 2: unlabelled/,
      );

      for (const at of [6, 14]) {
        const stop = new AbortController();
        const target = join(folder, `stopped-${at}`);
        const stopping = train(recipe, {
          ...parts,
          folder: target,
          signal: stop.signal,
          onEvent: (event) => event.kind === 'step' && event.step === at && stop.abort(),
        });
        await assert.rejects(stopping, (error) => error instanceof AppError && error.code === 'job-cancelled');
        const second = await train(recipe, { ...parts, folder: target });
        assert.equal(second.weights.sha256, first.weights.sha256, `stopped after step ${at}`);
      }
      await assert.rejects(
        train(recipe, { ...parts, openTeacher: undefined as never, folder: join(folder, 'none') }),
        AppError,
      );
    }),
);
