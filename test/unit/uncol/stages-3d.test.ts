import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { foreignGraphOpener } from '../../../server/src/engine/onnx/foreign.ts';
import type { TrainingState } from '../../../server/src/engine/ops.ts';
import { initialise, initialState, pickParameters } from '../../../server/src/engine/vectors.ts';
import { openTeacher } from '../../../server/src/registry/teachers.ts';
import { showToTeacher } from '../../../server/src/round/taught.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { product } from '../../../server/src/student/layers.ts';
import type { LabelledSlice } from '../../../server/src/uncol/feed.ts';
import { stack } from '../../../server/src/uncol/inputs.ts';
import { collaborationSettingsSchema, pretrainingSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { Pretraining, pretrainingTable } from '../../../server/src/uncol/stage-one.ts';
import { Collaboration, collaborationTable } from '../../../server/src/uncol/stage-two.ts';
import { calibrate, uncalibrated } from '../../../server/src/uncol/teachers/calibration.ts';
import { memoryCache } from '../../../server/src/uncol/teachers/embedding-cache.ts';
import { mapTokens } from '../../../server/src/uncol/teachers/feature-maps.ts';
import { writeTinyVolumeTeacher } from '../../fixtures/tiny-teacher.ts';
import { blobs, foregroundDice, size } from './blobs.ts';
import { engine } from './on-engine.ts';

const student = studentOf({ network: 'prob-vnet-3d', variant: 'tiny', classes: 2 });
const space = [size, size, size];
const imageSize = { classes: 2, space };
const served = engine.table(student.inferenceProgram(1, space));

const place = await mkdtemp(join(tmpdir(), 'uncol-stages-3d-'));
const [manifests, files] = [join(place, 'manifests'), join(place, 'files')];
await writeTinyVolumeTeacher(manifests, files);
const sources = { manifests, files, open: foreignGraphOpener({ threads: 1 }), cache: memoryCache(100) };
const teacher = await openTeacher('tiny-3d', sources);
const judge = await engine.predictor(student.inferenceProgram(4, space));
after(async () => {
  await judge.dispose();
  await teacher.dispose();
  await rm(place, { recursive: true });
});

/** Volumes with what the teacher sees in them, prompted with clicks in the truth. */
async function taught(first: number, count: number): Promise<LabelledSlice[]> {
  const shown = await showToTeacher(blobs(first, count, space), teacher, imageSize, 0);
  return shown.map(({ kept, ...slice }) => {
    const onTokens = (map: Float32Array) => mapTokens(map, { space }, 16);
    assert.ok(kept);
    return { ...slice, maps: { visual: kept.visual.map(onTokens), semantic: onTokens(kept.semantic) } };
  });
}

const pool = await taught(1, 8);
const unseen = blobs(900, 4, space);
const images = (first: number, count: number) => blobs(first, count, space).map((slice) => slice.image);
const ask = async (weights: Float32Array, volumes: readonly Float32Array[]) => {
  const { probabilities } = await judge.run(weights, { image: stack(volumes, product(space)) });
  return probabilities!;
};
const diceOf = async (weights: Float32Array) =>
  foregroundDice(
    await ask(
      weights,
      unseen.map((slice) => slice.image),
    ),
    unseen,
  );
const batchOf = (step: number, count: number) =>
  Array.from({ length: count }, (_, n) => pool[(step * count + n) % pool.length]!);

const steps = 56;
const first = pretrainingSettingsSchema.parse({ totalSteps: steps, learningRate: 2e-2 });
const plan = { batch: 3, space, maps: teacher.features.maps };
const table = pretrainingTable(engine, student, plan);
const pretraining = (state: TrainingState) => Pretraining.create(engine, student, first, plan, state);
const fresh = initialState(initialise(table, 11));

const second = collaborationSettingsSchema.parse({
  totalSteps: 30,
  learningRate: 3e-3,
  visualWeight: 0.1,
  sliceGate: 0,
  trustStart: 0.9,
});
const collaboration = (state: TrainingState, calibration = uncalibrated(2, second)) =>
  Collaboration.create(engine, student, second, { pairs: 1, space, guidance: { teacher, calibration } }, state);

const collaborating = collaborationTable(engine, student, second, {
  pairs: 1,
  space,
  guidance: { teacher, calibration: uncalibrated(2, second) },
});

let pretrained: TrainingState | undefined;
/** A round's start: student and teacher of stage 1 with the projection, a new step count and new moments. */
const warm = () => {
  assert.ok(pretrained, 'stage 1 ran before');
  const pick = (weights: Float32Array) => pickParameters(weights, table, collaborating);
  return { ...initialState(pick(pretrained.student)), ema: pick(pretrained.ema).slice() };
};

test('stage 1 in 3D lowers its losses, distils a teacher of volumes, and finds blobs that it has never seen', async () => {
  const stage = await pretraining(fresh);
  try {
    const seen: (Readonly<Record<string, number>> & { readonly loss: number })[] = [];
    for (let step = 0; step < steps; step++) {
      const { loss, terms } = await stage.step(batchOf(step, 3));
      seen.push({ ...terms, loss });
    }
    pretrained = await stage.state();
    const mean = (name: string, from: number, to: number) =>
      seen.slice(from, to).reduce((sum, terms) => sum + (terms[name] ?? Number.NaN), 0) / (to - from);
    for (const name of ['loss', 'crossEntropy', 'dice', 'focal', 'softIou', 'visual', 'semantic']) {
      const [before, now] = [mean(name, 0, 5), mean(name, steps - 5, steps)];
      assert.ok(now < 0.9 * before, `${name} ${before} to ${now}`);
    }
    const weights = pickParameters(pretrained.student, table, served);
    const [before, now] = [await diceOf(pickParameters(fresh.student, table, served)), await diceOf(weights)];
    assert.ok(now > before + 0.3 && now > 0.5, `Dice ${before} to ${now}`);
  } finally {
    await stage.dispose();
  }
});

test('stage 1 in 3D goes on from its state bit by bit', async () => {
  const whole = await pretraining(fresh);
  try {
    await whole.step(batchOf(0, 3));
    const middle = await whole.state();
    assert.deepEqual(middle.ema, middle.student);
    const resumed = await pretraining(middle);
    try {
      assert.deepEqual(await resumed.step(batchOf(1, 3)), await whole.step(batchOf(1, 3)));
      assert.deepEqual(await resumed.state(), await whole.state());
    } finally {
      await resumed.dispose();
    }
  } finally {
    await whole.dispose();
  }
});

test('a teacher of volumes sits its exam with clicks', async () => {
  const { ema } = warm();
  const specialized = pickParameters(pretrained!.ema, table, served);
  assert.ok(ema.length > specialized.length);
  const exam = blobs(40, 4, space).map((slice) => ({ ...slice, seen: slice.image }));
  const answer = (shown: readonly Float32Array[]) => ask(specialized, shown);
  const calibration = await calibrate(teacher, answer, exam, imageSize, second);
  const [evidence] = calibration.evidence;
  assert.ok(evidence && evidence.slices === 4 && (evidence.trueBoxes ?? 0) > 0.6, JSON.stringify(evidence));
});

test('stage 2 in 3D trusts both teachers, learns, and goes on from its state bit by bit', async () => {
  const batch = (step: number) => ({ labelled: batchOf(step, 2), unlabelled: images(300 + 2 * step, 2) });
  const stage = await collaboration(warm());
  try {
    for (let step = 0; step < 20; step++) {
      const { trust, terms } = await stage.step(batch(step));
      assert.ok(trust && trust.specialized > 0.5 && trust.generalized > 0.5, JSON.stringify(trust));
      assert.ok((terms['pseudo'] ?? 0) > 0 && (terms['groundTruth'] ?? 0) > 0 && (terms['visual'] ?? 0) > 0);
    }
    const pick = (weights: Float32Array) => pickParameters(weights, collaborating, served);
    const [before, now] = [await diceOf(pick(warm().student)), await diceOf(pick((await stage.state()).student))];
    assert.ok(now > before + 0.1, `Dice ${before} to ${now}`);
    const middle = await stage.state();
    const resumed = await collaboration(middle);
    try {
      assert.deepEqual(await resumed.step(batch(20)), await stage.step(batch(20)));
      assert.deepEqual(await resumed.state(), await stage.state());
    } finally {
      await resumed.dispose();
    }
  } finally {
    await stage.dispose();
  }
});
