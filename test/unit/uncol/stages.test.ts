import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TrainingState } from '../../../server/src/engine/ops.ts';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { stack } from '../../../server/src/uncol/inputs.ts';
import { collaborationSettingsSchema, pretrainingSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { Pretraining } from '../../../server/src/uncol/stage-one.ts';
import { Collaboration } from '../../../server/src/uncol/stage-two.ts';
import { uncalibrated } from '../../../server/src/uncol/teachers/calibration.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../../../server/src/uncol/teachers/generalized.ts';
import { blobs, constantSlice, foregroundDice, size } from './blobs.ts';
import { engine } from './on-engine.ts';

const config = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const frame = { space: [size, size] };
const table = engine.table(config.inferenceProgram(1, [size, size]));
const fresh = initialState(initialise(table, 11));
const pretrainingSettings = pretrainingSettingsSchema.parse({ totalSteps: 25 });
const settings = collaborationSettingsSchema.parse({ totalSteps: 40 });

const unseen = blobs(900, 8);
const judge = await engine.predictor(config.inferenceProgram(unseen.length, [size, size]));
after(() => judge.dispose());
const diceOf = async (weights: Float32Array) => {
  const image = stack(
    unseen.map((slice) => slice.image),
    size * size,
  );
  return foregroundDice((await judge.run(weights, { image }))['probabilities']!, unseen);
};

const pretraining = (state: TrainingState) =>
  Pretraining.create(engine, config, pretrainingSettings, { batch: 4, maps: null, ...frame }, state);
const calibration = uncalibrated(config.classes, settings);
const collaboration = (state: TrainingState, teacher: GeneralizedTeacher | null = abstainingTeacher('')) => {
  const guidance = teacher && { teacher, calibration };
  return Collaboration.create(engine, config, settings, { pairs: 1, guidance, ...frame }, state);
};
const images = (first: number, count: number) => blobs(first, count).map((slice) => slice.image);

let pretrained: TrainingState | undefined;

test('stage 1 learns blobs from a few slices', async () => {
  const stage = await pretraining(fresh);
  try {
    const losses: number[] = [];
    for (let step = 0; step < 25; step++) {
      const { loss, terms, step: done } = await stage.step(blobs(1 + ((step * 4) % 12), 4));
      assert.equal(done, step + 1);
      assert.deepEqual(Object.keys(terms), ['crossEntropy', 'dice', 'focal', 'softIou']);
      losses.push(loss);
    }
    pretrained = await stage.state();
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
    assert.ok(last < 0.6 * first, `loss ${first} to ${last}`);
    const [before, now] = [await diceOf(fresh.student), await diceOf(pretrained.student)];
    assert.ok(now > before + 0.3 && now > 0.7, `Dice ${before} to ${now}`);
  } finally {
    await stage.dispose();
  }
});

test('stage 1 copies the student into the EMA first, follows it then, and goes on from its state bit by bit', async () => {
  const whole = await pretraining(fresh);
  try {
    await whole.step(blobs(1, 4));
    const first = await whole.state();
    assert.deepEqual(first.ema, first.student);
    await whole.step(blobs(5, 4));
    const second = await whole.state();
    const halves = first.ema.map((value, index) => (value + (second.student[index] ?? 0)) / 2);
    const worst = second.ema.reduce((most, value, index) => Math.max(most, Math.abs(value - (halves[index] ?? 0))), 0);
    assert.ok(worst < 1e-6, `${worst}`);
    assert.notDeepEqual(second.ema, second.student);
    const resumed = await pretraining(first);
    try {
      await resumed.step(blobs(5, 4));
      assert.deepEqual(await resumed.state(), second);
      assert.deepEqual(await resumed.step(blobs(9, 4)), await whole.step(blobs(9, 4)));
      assert.deepEqual(await resumed.state(), await whole.state());
    } finally {
      await resumed.dispose();
    }
  } finally {
    await whole.dispose();
  }
});

/** A round's start: student and teacher of stage 1, a new step count and new moments. */
const warm = () => {
  assert.ok(pretrained, 'stage 1 ran before');
  return { ...initialState(pretrained.student), ema: pretrained.ema };
};

test('stage 2 learns with the abstaining teacher, and the specialized teacher is trusted', async () => {
  const stage = await collaboration(warm());
  try {
    for (let step = 0; step < 12; step++) {
      const unlabelled = images(300 + 2 * step, 2);
      const { trust, terms } = await stage.step({ labelled: blobs(1 + ((2 * step) % 12), 2), unlabelled });
      assert.ok(trust && trust.specialized > 0.1 && trust.generalized === 0);
      assert.ok(Math.abs(trust.specialized + trust.ignored - 1) < 1e-6);
      assert.ok((terms['pseudo'] ?? 0) > 0 && (terms['groundTruth'] ?? 0) > 0);
    }
    const [before, now] = [await diceOf(warm().student), await diceOf((await stage.state()).student)];
    assert.ok(now > before + 0.02, `Dice ${before} to ${now}`);
  } finally {
    await stage.dispose();
  }
});

test('stage 2 goes on from its state bit by bit', async () => {
  const batch = (step: number) => ({ labelled: blobs(1 + 2 * step, 2), unlabelled: images(300 + 2 * step, 2) });
  const whole = await collaboration(warm());
  try {
    for (let step = 0; step < 2; step++) await whole.step(batch(step));
    const middle = await whole.state();
    const resumed = await collaboration(middle);
    try {
      assert.deepEqual(await resumed.step(batch(2)), await whole.step(batch(2)));
      assert.deepEqual(await resumed.state(), await whole.state());
    } finally {
      await resumed.dispose();
    }
  } finally {
    await whole.dispose();
  }
});

test('the generalized teacher gets a box round what was found, and is believed where it is certain', async () => {
  const asked: number[] = [];
  const certain: GeneralizedTeacher = {
    description: 'Foreground in its box, certain.',
    features: null,
    prepare: async () => {},
    ask: async ({ prompts, space: [height = 0, width = 0] }) => {
      const [box] = prompts[0] ?? [];
      if (!box || !('top' in box)) return null;
      asked.push((box.bottom - box.top + 1) * (box.right - box.left + 1));
      return Float32Array.from({ length: height * width }, (_, pixel) => {
        const [row, column] = [Math.floor(pixel / width), pixel % width];
        return row >= box.top && row <= box.bottom && column >= box.left && column <= box.right ? 30 : -30;
      });
    },
  };
  const stage = await collaboration(warm(), certain);
  try {
    const { trust } = await stage.step({ labelled: blobs(1, 2), unlabelled: images(300, 2) });
    assert.equal(asked.length, 2);
    assert.ok(
      asked.every((area) => area > 30 && area < 700),
      `${asked}`,
    );
    assert.deepEqual([trust?.generalized, trust?.ignored], [1, 0]);
  } finally {
    await stage.dispose();
  }
});

test('where the specialized teacher finds nothing, the generalized one has no box and abstains', async () => {
  const never: GeneralizedTeacher = {
    description: 'Must not be given a box.',
    features: null,
    prepare: async () => {},
    ask: async ({ prompts }) => {
      assert.deepEqual(prompts, [[]]);
      return null;
    },
  };
  const blind = warm().ema.slice();
  // Every head votes for background, whatever it sees.
  for (const { name, offset } of table.rows) if (/^heads\.\d\.bias$/.test(name)) blind.set([50, -50], offset);
  const stage = await collaboration({ ...warm(), ema: blind }, never);
  try {
    const { trust } = await stage.step({ labelled: blobs(1, 2), unlabelled: images(300, 2) });
    assert.deepEqual(trust, { generalized: 0, specialized: 1, ignored: 0 });
  } finally {
    await stage.dispose();
  }
});

test('without unlabelled slices stage 2 pastes labelled slices on each other and asks no teacher', async () => {
  const stage = await collaboration(warm(), null);
  try {
    const { trust, terms } = await stage.step({ labelled: blobs(1, 2), unlabelled: [] });
    assert.equal(trust, null);
    assert.ok((terms['image'] ?? 0) > 0 && (terms['patch'] ?? 0) > 0);
    await assert.rejects(stage.step({ labelled: blobs(1, 2), unlabelled: images(300, 2) }), RangeError);
  } finally {
    await stage.dispose();
  }
});

test('slices without contrast give numbers, slices that are no numbers stop the run', async () => {
  const stage = await collaboration(warm());
  try {
    const flat = [constantSlice(0), constantSlice(0)];
    const { loss } = await stage.step({ labelled: flat, unlabelled: flat.map((slice) => slice.image) });
    assert.ok(Number.isFinite(loss));
    assert.ok((await stage.state()).student.every(Number.isFinite));
    const broken = [constantSlice(Number.NaN), constantSlice(0)];
    await assert.rejects(
      stage.step({ labelled: broken, unlabelled: flat.map((slice) => slice.image) }),
      (error) => error instanceof AppError && error.code === 'training-not-finite' && error.detail['step'] === 2,
    );
  } finally {
    await stage.dispose();
  }
});
