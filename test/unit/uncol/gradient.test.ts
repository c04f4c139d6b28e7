import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Arrays, LossProgram } from '../../../server/src/engine/ops.ts';
import { initialise } from '../../../server/src/engine/vectors.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { collaborateProgram, labelledOnlyProgram } from '../../../server/src/uncol/collaborate.ts';
import { type LabelledSlice, labelledArrays, randomArrays } from '../../../server/src/uncol/feed.ts';
import { pretrainProgram } from '../../../server/src/uncol/pretrain.ts';
import { collaborationSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { blobs, size } from './blobs.ts';
import { engine } from './on-engine.ts';

const config = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const space = [size, size];
const shape = { pairs: 1, space };
const settings = collaborationSettingsSchema.parse({});
const weights = initialise(engine.table(config.inferenceProgram(1, [size, size])), 5);
const draws = randomArrays(settings, 'collaboration', 0, config, { mixes: 2, space });
const pixels = size * size;

/** The program with one of its terms as the loss. */
const onlyTerm = (program: LossProgram, name: string): LossProgram => ({
  inputs: program.inputs,
  build(...text) {
    const term = program.build(...text).terms[name];
    assert.ok(term, name);
    return { loss: term, terms: {} };
  },
});
const norm = (gradient: Float32Array) => Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));

const inputs = (labelled: readonly LabelledSlice[], foreground: number): Arrays => ({
  ...labelledArrays(labelled, pixels),
  ...draws,
  unlabelled: Float32Array.from(blobs(50, 2).flatMap((slice) => [...slice.image])),
  specialized: Float32Array.from({ length: 4 * pixels }, (_, at) =>
    Math.floor(at / pixels) % 2 === 1 ? foreground : 1 - foreground,
  ),
  maskLogits: new Float32Array(2 * pixels),
  answered: new Float32Array(2 * pixels),
  temperature: Float32Array.of(1),
  kept: Float32Array.of(1, 1),
  threshold: Float32Array.of(0.75),
});

const unknown = (slice: LabelledSlice): LabelledSlice => ({ ...slice, known: new Uint8Array(pixels) });
const flipped = (slice: LabelledSlice): LabelledSlice => ({ ...slice, label: slice.label.map((label) => 1 - label) });

test('both stages and the inference text read their weights by the same table', () => {
  const { hash } = engine.table(config.inferenceProgram(1, [size, size]));
  assert.equal(engine.table(pretrainProgram(config, { batch: 2, space })).hash, hash);
  assert.equal(engine.table(collaborateProgram(config, shape, settings)).hash, hash);
  assert.equal(engine.table(labelledOnlyProgram(config, shape, settings)).hash, hash);
});

test('the unlabelled side teaches where the specialized teacher is trusted, and not where it is unsure', async () => {
  const program = onlyTerm(collaborateProgram(config, shape, settings), 'pseudo');
  const certain = await engine.gradients(program, weights, inputs(blobs(1, 2), 0.99));
  assert.ok(certain.loss > 0 && norm(certain.gradient) > 1e-3, `${certain.loss} ${norm(certain.gradient)}`);
  const unsure = await engine.gradients(program, weights, inputs(blobs(1, 2), 0.5));
  assert.equal(unsure.loss, 0);
  assert.ok(unsure.gradient.every((value) => value === 0));
});

test('a labelled slice that nobody vouched for teaches nothing in stage 2', async () => {
  const program = collaborateProgram(config, shape, settings);
  const slices = blobs(1, 2).map(unknown);
  const { gradient } = await engine.gradients(onlyTerm(program, 'groundTruth'), weights, inputs(slices, 0.99));
  assert.ok(gradient.every((value) => value === 0));
  const whole = await engine.gradients(program, weights, inputs(slices, 0.99));
  assert.ok(norm(whole.gradient) > 0);
  assert.deepEqual(await engine.gradients(program, weights, inputs(slices.map(flipped), 0.99)), whole);
  const labelledOnly = labelledOnlyProgram(config, shape, settings);
  const alone = await engine.gradients(labelledOnly, weights, { ...labelledArrays(slices, pixels), ...draws });
  assert.ok(alone.gradient.every((value) => value === 0));
});

test('a labelled slice that nobody vouched for teaches nothing in stage 1', async () => {
  const program = pretrainProgram(config, { batch: 2, space });
  const one = randomArrays(settings, 'pretraining', 0, config, { mixes: 1, space });
  const gradient = async (slices: readonly LabelledSlice[]) =>
    (await engine.gradients(program, weights, { ...labelledArrays(slices, pixels), ...one })).gradient;
  assert.ok((await gradient(blobs(1, 2).map(unknown))).every((value) => value === 0));
  assert.ok(norm(await gradient(blobs(1, 2))) > 0);
});

test('two equal pairs cost what one pair costs, in every term', async () => {
  const evaluateTerms = async (pairs: number) => {
    const program = collaborateProgram(config, { ...shape, pairs }, settings);
    const predictor = await engine.predictor({
      inputs: program.inputs,
      build: (...text) => program.build(...text).terms,
    });
    const one = inputs(blobs(1, 2), 0.99);
    const twice = (name: string, array: Float32Array) => {
      if (pairs === 1 || name === 'mask' || name === 'threshold' || name === 'temperature') return array;
      const half = array.length / 2;
      const [a, b] = [array.subarray(0, half), array.subarray(half)];
      return Float32Array.from([...a, ...a, ...b, ...b]);
    };
    try {
      const given = Object.entries(one).map(([name, array]) => [name, twice(name, array)] as const);
      return await predictor.run(weights, Object.fromEntries(given));
    } finally {
      await predictor.dispose();
    }
  };
  const [single, double] = [await evaluateTerms(1), await evaluateTerms(2)];
  assert.ok((single['pseudo']?.[0] ?? 0) > 0 && (single['groundTruth']?.[0] ?? 0) > 0);
  for (const [name, [value]] of Object.entries(single))
    assert.ok(Math.abs((value ?? Number.NaN) - (double[name]?.[0] ?? Number.NaN)) < 1e-5, name);
});

test('a side that the mask leaves no pixel of does not count, and the other side does', async () => {
  const program = collaborateProgram(config, shape, settings);
  const [a, b] = blobs(1, 2);
  assert.ok(a && b);
  const predictor = await engine.predictor({
    inputs: program.inputs,
    build: (...text) => ({ loss: program.build(...text).loss }),
  });
  const loss = async (value: 0 | 1, labelled: readonly LabelledSlice[]) => {
    const given = { ...inputs(labelled, 0.99), mask: new Float32Array(pixels).fill(value) };
    return (await predictor.run(weights, given))['loss']?.[0];
  };
  // Mask 1 keeps all of A and U_b, mask 0 all of U_a and B.
  const [kept, pasted] = [await loss(1, [a, b]), await loss(0, [a, b])];
  assert.equal(await loss(1, [a, flipped(b)]), kept);
  assert.notEqual(await loss(1, [flipped(a), b]), kept);
  assert.equal(await loss(0, [flipped(a), b]), pasted);
  assert.notEqual(await loss(0, [a, flipped(b)]), pasted);
  await predictor.dispose();
});
