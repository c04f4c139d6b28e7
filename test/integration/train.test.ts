import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { parseRecipe, type Recipe } from '../../server/src/round/recipe.ts';
import { type TrainEvent, train } from '../../server/src/round/train.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

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

    const changed = { ...recipe, stage1: { ...recipe.stage1, learningRate: 0.5 } };
    const mixing = train(changed, { folder: join(folder, 'third'), colin, engine });
    await assert.rejects(mixing, { code: 'recipe-invalid', message: /another recipe: delete it/ });
    assert.ok(reference.equals(await bits('third')), 'the checkpoint stays');
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(mean(losses.slice(-5)) < 0.8 * mean(losses.slice(0, 5)), 'the loss falls by a fifth or more');
  }),
);
