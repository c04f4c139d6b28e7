import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LossProgram, TrainingState } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { initialise, initialState, pickParameters, placeParameters } from '../../../server/src/engine/vectors.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { collaborateProgram } from '../../../server/src/uncol/collaborate.ts';
import type { DistilledMaps, SliceMaps } from '../../../server/src/uncol/distill.ts';
import { labelledArrays, randomArrays } from '../../../server/src/uncol/feed.ts';
import { spread } from '../../../server/src/uncol/losses/distillation.ts';
import { pretrainProgram } from '../../../server/src/uncol/pretrain.ts';
import { distillationWeight, ramp } from '../../../server/src/uncol/schedule.ts';
import { collaborationSettingsSchema, pretrainingSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { Pretraining, pretrainingTable } from '../../../server/src/uncol/stage-one.ts';
import { blobs, size } from './blobs.ts';
import { engine, evaluate, given } from './on-engine.ts';

const medsam: DistilledMaps = { visual: [768, 768], semantic: 256 };
const frame = { space: [32, 32] };

test('with the maps of MedSAM the student has the published number of parameters in training', () => {
  for (const [classes, inference, training] of [
    [2, 3_525_064, 3_689_288],
    [5, 3_526_804, 3_887_636],
  ] as const) {
    const config = studentOf({ network: 'prob-unet-2d', variant: 'full', classes: classes });
    assert.equal(engine.table(config.inferenceProgram(1, [32, 32])).size, inference);
    assert.equal(engine.table(pretrainProgram(config, { batch: 2, ...frame }, medsam)).size, training);
  }
  const three = studentOf({ network: 'prob-unet-2d', variant: 'full', classes: 3 });
  const difference =
    engine.table(pretrainProgram(three, { batch: 2, ...frame }, medsam)).size -
    engine.table(three.inferenceProgram(1, [32, 32])).size;
  assert.equal(difference, 768 * 128 + 128 + 512 * 256 + 256);
});

test('with the maps of SAM-Med3D the 3D student has the published number of parameters in training', () => {
  const samMed3d: DistilledMaps = { visual: [768, 768, 768], semantic: 384 };
  const shape = { batch: 2, space: [16, 16, 16] };
  for (const [classes, inference, training] of [
    [2, 13_940_312, 14_235_224],
    [3, 13_940_380, 14_333_596],
  ] as const) {
    const config = studentOf({ network: 'prob-vnet-3d', variant: 'full', classes });
    assert.equal(engine.table(config.inferenceProgram(1, shape.space)).size, inference);
    assert.equal(engine.table(pretrainProgram(config, shape, samMed3d)).size, training);
  }
});

test('w(t) has its golden values', () => {
  const rule = { weight: 0.1, rampShare: 0.5 };
  for (const [step, expected] of [
    [0, 0.000674],
    [1500, 0.004076],
    [3750, 0.02865],
    [7500, 0.1],
    [15_000, 0.1],
  ] as const) {
    assert.ok(Math.abs(distillationWeight(step, 15_000, rule) - expected) < 1e-6, `${step}`);
  }
  assert.equal(ramp(100, 100), 1);
});

const maps: DistilledMaps = { visual: [6, 6], semantic: 4 };
const config = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const plan = { batch: 3, ...frame, maps };
const tokens = (size / 16) ** 2;
const table = pretrainingTable(engine, config, plan);
const served = engine.table(config.inferenceProgram(1, [size, size]));

/** Maps that say something of the slice: noise by seed, and where it is bright. */
const mapsFor = (seed: number): SliceMaps => {
  const random = Random.for(seed, 'maps');
  const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
  return { visual: [noise(6 * tokens), noise(6 * tokens)], semantic: noise(4 * tokens) };
};
const slices = (first: number, count: number) =>
  blobs(first, count).map((slice, at) => ({ ...slice, maps: mapsFor(first + at) }));

const onlyTerm = (program: LossProgram, name: string): LossProgram => ({
  inputs: program.inputs,
  build: (...text) => ({ loss: program.build(...text).terms[name] ?? assert.fail(name), terms: {} }),
});
const rowsWithGradient = (gradient: Float32Array) =>
  table.rows
    .filter(({ offset, shape }) => {
      const length = shape.reduce((product, side) => product * side, 1);
      return gradient.subarray(offset, offset + length).some((value) => value !== 0);
    })
    .map(({ name }) => name);

const settings = pretrainingSettingsSchema.parse({ totalSteps: 30, distillationRampShare: 0.1 });
const batch = slices(1, 3);
const inputs = {
  ...labelledArrays(batch, size * size),
  ...randomArrays(settings, 'pretraining', 0, config, { mixes: 2, ...frame }),
  labelledVisual0: join(batch.map((slice) => slice.maps.visual[0]!)),
  labelledVisual1: join(batch.map((slice) => slice.maps.visual[1]!)),
  labelledSemantic: join(batch.map((slice) => slice.maps.semantic)),
  distillation: Float32Array.of(0.1),
};

test('visual distillation teaches the transformer and the projection, semantic distillation the prior and the alignment', async () => {
  const program = pretrainProgram(config, plan, maps);
  const weights = initialise(table, 3);
  const visual = rowsWithGradient((await engine.gradients(onlyTerm(program, 'visual'), weights, inputs)).gradient);
  assert.ok(visual.includes('projections.hidden.weight'));
  assert.ok(visual.some((name) => name.startsWith('prior.')));
  assert.ok(!visual.some((name) => /^(encoder|decoder|heads|fusion|projections\.semantic)/.test(name)), visual.join());
  const semantic = rowsWithGradient((await engine.gradients(onlyTerm(program, 'semantic'), weights, inputs)).gradient);
  assert.ok(semantic.includes('projections.semantic.weight'));
  assert.ok(semantic.some((name) => name.startsWith('prior.')));
  assert.ok(
    !semantic.some((name) => /^(encoder|decoder|heads|fusion|projections\.hidden)/.test(name)),
    semantic.join(),
  );
});

test('stage 1 decodes from the posterior, the served network from its prior: no teacher reaches it', async () => {
  const program = pretrainProgram(config, plan, maps);
  const weights = initialise(table, 3);
  const lossWith = async (semantic: Float32Array) =>
    (await engine.gradients(onlyTerm(program, 'crossEntropy'), weights, { ...inputs, labelledSemantic: semantic }))
      .loss;
  assert.notEqual(await lossWith(inputs.labelledSemantic), await lossWith(inputs.labelledSemantic.map((x) => -3 * x)));
  assert.deepEqual(Object.keys(config.inferenceProgram(1, [size, size]).inputs), ['image']);
  assert.ok(!served.rows.some(({ name }) => name.startsWith('projections.')));
});

test('stage 1 with a teacher learns blobs, draws prior and posterior together, and what is served is picked by name', async () => {
  const stage = await Pretraining.create(engine, config, settings, plan, initialState(initialise(table, 11)));
  const seen: Readonly<Record<string, number>>[] = [];
  let state: TrainingState;
  try {
    for (let step = 0; step < 30; step++) seen.push((await stage.step(slices(1 + ((3 * step) % 12), 3))).terms);
    state = await stage.state();
  } finally {
    await stage.dispose();
  }
  const mean = (name: string, from: number, to: number) =>
    seen.slice(from, to).reduce((sum, terms) => sum + (terms[name] ?? Number.NaN), 0) / (to - from);
  for (const name of ['dice', 'semantic', 'visual']) {
    assert.ok(mean(name, 25, 30) < mean(name, 0, 5), `${name} ${mean(name, 0, 5)} to ${mean(name, 25, 30)}`);
  }
  assert.ok(mean('visualSpread', 25, 30) > 1e-3 && mean('posteriorSpread', 25, 30) > 1e-3);
  const student = pickParameters(state.student, table, served);
  assert.equal(student.length, served.size);
  const back = placeParameters(initialise(table, 99), table, student, served);
  assert.deepEqual(pickParameters(back, table, served), student);
  assert.throws(() => pickParameters(student, served, table), RangeError);
});

test('a distillation of nothing but constants stops the run, one batch of them does not', async () => {
  const stage = await Pretraining.create(engine, config, settings, plan, initialState(initialise(table, 11)));
  const flat = slices(1, 3).map((slice) => ({
    ...slice,
    maps: { visual: slice.maps.visual, semantic: new Float32Array(4 * tokens) },
  }));
  await stage.step(flat);
  await stage.step(slices(4, 3));
  for (let step = 0; step < 24; step++) await stage.step(flat);
  await assert.rejects(
    stage.step(flat),
    (error) =>
      error instanceof AppError && error.code === 'training-collapsed' && /posteriorSpread/.test(error.message),
  );
  await stage.dispose();
});

test('the spread is the variance over batch and space, averaged over channels', async () => {
  const out = await evaluate({ x: given([2, 2, 1, 2], [1, 3, 5, 5, 5, 7, 5, 5]) }, (ops, { x }) => ({
    s: spread(ops, x),
  }));
  // Channel 0 holds 1 3 5 7 (variance 5), channel 1 four times 5.
  assert.ok(Math.abs((out['s']?.[0] ?? 0) - 2.5) < 1e-6);
});

test('stage 2 adds the visual distillation of both mixes by its weight', async () => {
  const stage2 = collaborationSettingsSchema.parse({ visualWeight: 0.1 });
  const program = collaborateProgram(config, { pairs: 1, ...frame }, stage2, maps);
  const weights = initialise(engine.table(program), 3);
  const [a, b] = slices(1, 2);
  assert.ok(a && b);
  const pixels = size * size;
  const given2 = {
    ...labelledArrays([a, b], pixels),
    ...randomArrays(stage2, 'collaboration', 0, config, { mixes: 2, ...frame }),
    unlabelled: join(blobs(30, 2).map((slice) => slice.image)),
    specialized: new Float32Array(4 * pixels).fill(0.5),
    maskLogits: new Float32Array(2 * pixels),
    answered: new Float32Array(2 * pixels),
    temperature: Float32Array.of(1),
    kept: Float32Array.of(1, 1),
    threshold: Float32Array.of(0.75),
    ...Object.fromEntries(
      [0, 1].flatMap((at) => [
        [`labelledVisual${at}`, join([a, b].map((slice) => slice.maps.visual[at]!))],
        [`unlabelledVisual${at}`, join([31, 32].map((seed) => mapsFor(seed).visual[at]!))],
      ]),
    ),
  };
  const predictor = await engine.predictor({
    inputs: program.inputs,
    build: (...text) => {
      const { loss, terms } = program.build(...text);
      return { loss, ...terms };
    },
  });
  const out = await predictor.run(weights, given2);
  const value = (name: string) => out[name]?.[0] ?? Number.NaN;
  assert.ok(value('visual') > 0 && value('groundTruth') > 0);
  assert.ok(Math.abs(value('loss') - value('groundTruth') - value('pseudo') - 0.2 * value('visual')) < 1e-5);
  await predictor.dispose();
});

function join(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
