import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { loadCheckpoint } from '../../server/src/round/checkpoint.ts';
import { parseRecipe, type Recipe, resolveFolders } from '../../server/src/round/recipe.ts';
import { type TrainEvent, train } from '../../server/src/round/train.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { makeNifti } from '../fixtures/make-nifti.ts';
import {
  makePhantom,
  makeSiteFolder,
  type SiteCase,
  siteRecipe,
  writeDicomCase,
  writeNiftiCase,
  writeThreeCases,
} from '../fixtures/make-site.ts';

const engine = createOnnxEngine({ threads: 2 });
let folder: string;
let labelled: readonly SiteCase[];
let validation: readonly SiteCase[];
let testing: readonly SiteCase[];

before(async () => {
  folder = await makeSiteFolder();
  labelled = await writeThreeCases(folder);
  validation = [await writeDicomCase(folder, 4, 'Moe-Mary')];
  testing = [await writeNiftiCase(folder, 5, 'Zoe-Zed'), await writeDicomCase(folder, 6, 'Coe-Carl')];
});
after(() => rm(folder, { recursive: true }));

async function recipeOf(changes: Readonly<Record<string, unknown>> = {}): Promise<Recipe> {
  const split = (cases: readonly SiteCase[]) => ({ kind: 'folder', path: '.', cases });
  const text = await siteRecipe({
    labelled: { ...split(labelled), slicesPerSubject: 8 },
    validation: { ...split(validation), slicesPerSubject: 8 },
    test: split(testing),
    ...changes,
  });
  return resolveFolders(parseRecipe(text), folder);
}

const run = (recipe: Recipe, name: string, onEvent: (event: TrainEvent) => void = () => {}, signal?: AbortSignal) =>
  train(recipe, { folder: join(folder, name), engine, colin: undefined, onEvent, ...(signal ? { signal } : {}) });

test('a student is trained from NIfTI pairs and DICOM with SEG, with report and card, and no patient in them', async () => {
  const recipe = await recipeOf();
  const events: TrainEvent[] = [];
  const card = await run(recipe, 'out', (event) => void events.push(event));
  assert.equal(card.name, 'ball-mr');
  const out = join(folder, 'out');
  const names = await readdir(out);
  for (const name of ['card.json', 'metrics.json', 'recipe.json', 'report.html', 'student.weights.bin']) {
    assert.ok(names.includes(name), name);
  }
  const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8'));
  assert.deepEqual(
    metrics.test.map(({ subject }: { subject: string }) => subject),
    ['test 1', 'test 2'],
  );
  assert.deepEqual(
    metrics.seen.map(({ subject }: { subject: string }) => subject),
    ['labelled 1', 'labelled 2', 'labelled 3', 'validation 1'],
  );
  assert.equal(metrics.losses.length, 8);
  assert.deepEqual(Object.keys(metrics.losses[0].terms), ['crossEntropy', 'dice', 'focal', 'softIou']);

  const report = await readFile(join(out, 'report.html'), 'utf8');
  assert.doesNotMatch(report, /<figure|data:image/, 'no images of a site');
  for (const text of ['test (2)', 'validation (1)', 'labelled (3)', card.weights.sha256])
    assert.ok(report.includes(text), text);
  const told = [
    report,
    await readFile(join(out, 'card.json'), 'utf8'),
    JSON.stringify(metrics),
    JSON.stringify(events),
  ];
  for (const text of told) assert.doesNotMatch(text, /Doe|Roe|Poe|Moe|Zoe|Coe/);
  const kept = JSON.parse(await readFile(join(out, 'recipe.json'), 'utf8'));
  assert.equal(kept.labelled.cases[1].patient, 'patient 2');
  assert.deepEqual(parseRecipe(JSON.stringify(kept)).labelled.kind, 'folder', 'the kept recipe can be used again');
});

test('a stopped run goes on to the same bits, and truths that changed in between are noticed', async () => {
  const recipe = await recipeOf();
  const stop = new AbortController();
  const onEvent = (event: TrainEvent) => event.kind === 'step' && event.step === 6 && stop.abort();
  await assert.rejects(run(recipe, 'stopped', onEvent, stop.signal), { code: 'job-cancelled' });
  const truth = join(folder, labelled[0]?.truth ?? '');
  const before = await readFile(truth);
  const { truth: other, image } = makePhantom(99);
  await writeFile(truth, makeNifti(createVolume(other, image.geometry), { type: 'uint8', compress: true }));
  await assert.rejects(run(recipe, 'stopped'), { code: 'recipe-invalid', message: /belongs to another recipe/ });
  await writeFile(truth, before);

  const steps: number[] = [];
  const resumed = await run(recipe, 'stopped', (event) => event.kind === 'step' && steps.push(event.step));
  assert.equal(steps[0], 5, 'it goes on from the checkpoint of step 4');
  const whole = await run(recipe, 'whole');
  assert.equal(resumed.weights.sha256, whole.weights.sha256);
  const bits = (name: string) => readFile(join(folder, name, 'checkpoint.bin'));
  assert.ok((await bits('stopped')).equals(await bits('whole')), 'checkpoint and curve are the same');
  const report = (name: string) => readFile(join(folder, name, 'report.html'), 'utf8');
  assert.equal(await report('stopped'), await report('whole'));
});

test('drawing by class and drawing scenes change what a student is shown', async () => {
  const plain = await recipeOf();
  const firstLoss = async (name: string, keys: object): Promise<number> => {
    const stage1 = { ...plain.stage1, ...keys };
    let loss = Number.NaN;
    const stop = new AbortController();
    const onEvent = (event: TrainEvent) => {
      if (event.kind !== 'step') return;
      loss = event.loss;
      stop.abort();
    };
    await assert.rejects(run({ ...plain, stage1 }, name, onEvent, stop.signal), { code: 'job-cancelled' });
    return loss;
  };
  const losses = [
    await firstLoss('plain', {}),
    await firstLoss('by-class', { drawsByClass: true }),
    await firstLoss('scenes', { sceneShare: 0.5 }),
  ];
  assert.ok(losses.every(Number.isFinite), losses.join());
  assert.equal(new Set(losses).size, losses.length, losses.join());
});

test('a loss that leaves the numbers stops the run, says so, and leaves the last good checkpoint', async () => {
  const calm = await recipeOf();
  // So large a step that weights overflow after a few: the loss becomes no number.
  const wild = { ...calm, stage1: { ...calm.stage1, steps: 40, validateEvery: 1, learningRate: 1e6 } };
  await assert.rejects(run(wild, 'wild'), (error) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, 'training-not-finite');
    const [, kept] =
      /became (?:NaN|-?Infinity) in step \d+\. The checkpoint of step (\d+) stays\.$/.exec(error.message) ?? [];
    assert.ok(kept, error.message);
    return true;
  });
  const table = engine.table(
    studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 }).inferenceProgram(1, [32, 32]),
  );
  const left = await loadCheckpoint(join(folder, 'wild', 'checkpoint.bin'), table.hash);
  assert.ok(left && left.state.step >= 1, 'the checkpoint can be read');
  assert.ok(left.state.student.every(Number.isFinite));
  assert.ok(!(await readdir(join(folder, 'wild'))).includes('card.json'), 'no version was made');
});

test('a run stops before its first step for a shared patient, an empty split or a missing test file', async () => {
  const gone = [{ ...(testing[0] as SiteCase), truth: 'Zoe-gone.nii' }];
  const shared = [{ ...(testing[0] as SiteCase), patient: 'Doe-Jane' }];
  for (const [changes, code, message] of [
    [{ test: { kind: 'folder', path: '.', cases: shared } }, 'split-patient-shared', /labelled and test/],
    [{ test: { kind: 'folder', path: '.', cases: gone } }, 'case-unreadable', /Case test 1, truth: .* not there/],
    [{ validation: { kind: 'folder', path: '.', cases: [], slicesPerSubject: 8 } }, 'split-empty', /validation split/],
  ] as const) {
    const events: TrainEvent[] = [];
    const stopped = run(await recipeOf(changes), 'refused', (event) => void events.push(event));
    await assert.rejects(stopped, { code, message });
    assert.deepEqual(events, []);
    assert.deepEqual(await readdir(join(folder, 'refused')), [], 'no version is written');
  }
});
