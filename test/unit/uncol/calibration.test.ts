import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Arrays } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { initialise } from '../../../server/src/engine/vectors.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { foundationOutput } from '../../../server/src/uncol/foundation.ts';
import type { Prompts } from '../../../server/src/uncol/prompts.ts';
import { collaborationSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { calibrate, refused, uncalibrated } from '../../../server/src/uncol/teachers/calibration.ts';
import { consultTeachers } from '../../../server/src/uncol/teachers/consult.ts';
import type { GeneralizedTeacher } from '../../../server/src/uncol/teachers/generalized.ts';
import { SpecializedTeacher } from '../../../server/src/uncol/teachers/specialized.ts';
import { blobs, size } from './blobs.ts';
import { engine, evaluate, given } from './on-engine.ts';

const settings = collaborationSettingsSchema.parse({});
const frame = { classes: 2, space: [size, size] };
const pixels = size * size;
const exam = blobs(1, 6).map((slice) => ({ ...slice, seen: slice.image }));

/** p_S that is right but for pixels drawn by seed. */
const specializedWith = (wrongShare: number) => async (slices: readonly Float32Array[]) => {
  const random = Random.for(5, 'errors');
  const all = new Float32Array(2 * pixels * slices.length);
  for (const [n, image] of slices.entries()) {
    const { label } = exam.find((slice) => slice.seen === image) ?? assert.fail();
    for (let at = 0; at < pixels; at++) {
      const foreground = random.next() < wrongShare ? 1 - (label[at] ?? 0) : (label[at] ?? 0);
      all[n * 2 * pixels + pixels + at] = foreground;
      all[n * 2 * pixels + at] = 1 - foreground;
    }
  }
  return all;
};

/** Logits `scale` times too large of a teacher that says p = 0.9 where it is right nine times in ten. */
const teacherWith = (scale: number, isMoved = false): GeneralizedTeacher => ({
  description: 'Knows the answers.',
  features: null,
  prepare: async () => {},
  async ask({ image, prompts }) {
    if (prompts.every((of) => of.length === 0)) return null;
    const { label } = exam.find((slice) => slice.image === image) ?? assert.fail();
    const random = Random.for(9, 'teacher');
    return Float32Array.from({ length: pixels }, (_, at) => {
      const truth = label[isMoved ? (at + 12) % pixels : at] ?? 0;
      const said = random.next() < 0.9 ? truth : 1 - truth;
      return scale * Math.log(9) * (said === 1 ? 1 : -1);
    });
  },
});

test('the temperature takes back what a teacher is too sure of', async () => {
  for (const scale of [1, 4]) {
    const { temperature } = await calibrate(teacherWith(scale), specializedWith(0.3), exam, frame, settings);
    assert.deepEqual(temperature, [scale]);
  }
});

test('a teacher is admitted when it is better than the specialized one with the boxes it will get, and only then', async () => {
  const better = await calibrate(teacherWith(1), specializedWith(0.3), exam, frame, settings);
  assert.deepEqual(better.admitted, [true]);
  const [evidence] = better.evidence;
  assert.ok(
    evidence && evidence.slices === 6 && (evidence.generalized ?? 0) > (evidence.specialized ?? 1),
    JSON.stringify(evidence),
  );
  const worse = await calibrate(teacherWith(1, true), specializedWith(0.05), exam, frame, settings);
  assert.deepEqual(worse.admitted, [false]);
  // Half of its pixels are drawn by lot: better than a specialized teacher that is always wrong, and still no teacher.
  const bad = await calibrate(teacherWith(1, true), specializedWith(1), exam, frame, settings);
  const [badEvidence] = bad.evidence;
  assert.deepEqual(bad.admitted, [false]);
  assert.ok((badEvidence?.generalized ?? 0) > (badEvidence?.specialized ?? 1), JSON.stringify(badEvidence));
  const blind = await calibrate(
    teacherWith(1),
    async (s) => new Float32Array(2 * pixels * s.length),
    exam,
    frame,
    settings,
  );
  assert.deepEqual([blind.admitted, blind.evidence[0]?.slices], [[false], 0], 'nothing to prompt with');
  const trusting = await calibrate(teacherWith(1, true), specializedWith(0.05), exam, frame, {
    ...settings,
    admission: false,
  });
  assert.deepEqual(trusting.admitted, [true]);
  assert.deepEqual((await calibrate(teacherWith(1), specializedWith(0), [], frame, settings)).admitted, [false]);
});

const logits = (values: readonly number[]) => given([1, 1, 1, values.length], values);
const outputOf = (values: readonly number[], foundationProb: 'softmax' | 'renorm' | 'calibrated', temperature = 1) =>
  evaluate(
    {
      logits: logits(values),
      temperature: given([1, 1, 1, 1], [temperature]),
      answered: given(
        [1, 1, 1, values.length],
        values.map((value) => (Number.isNaN(value) ? 0 : 1)),
      ),
    },
    (ops, x) => ({ ...foundationOutput(ops, x.logits, x.temperature, x.answered, foundationProb) }),
  );

test('the published softmax never lets the generalized teacher be sure, renorm and calibrated do', async () => {
  const values = [-30, -2, 0, 2, 30];
  const softmax = await outputOf(values, 'softmax');
  assert.ok(softmax['probabilities']?.every((p) => p < 0.7311));
  assert.ok(softmax['uncertainty']?.every((u) => u > 0.8399));
  const renorm = await outputOf(values, 'renorm');
  const foreground = renorm['probabilities']?.subarray(5) ?? [];
  for (const [at, value] of values.entries()) {
    assert.ok(Math.abs((foreground[at] ?? 0) - 1 / (1 + Math.exp(-value))) < 1e-6);
  }
  const calibrated = await outputOf([2], 'calibrated', 2);
  assert.ok(Math.abs((calibrated['probabilities']?.[1] ?? 0) - 1 / (1 + Math.exp(-1))) < 1e-6);
});

test('where it has not answered, its uncertainty is exactly 1', async () => {
  const out = await evaluate(
    {
      logits: logits([30, 30]),
      temperature: given([1, 1, 1, 1], [1]),
      answered: given([1, 1, 1, 2], [1, 0]),
    },
    (ops, x) => ({ ...foundationOutput(ops, x.logits, x.temperature, x.answered, 'calibrated') }),
  );
  assert.ok((out['uncertainty']?.[0] ?? 1) < 1e-3);
  assert.equal(out['uncertainty']?.[1], 1);
});

test('the slice gate leaves out a slice or volume whose mirror image is answered otherwise', async () => {
  const [one, other] = blobs(40, 2);
  assert.ok(one && other);
  /** Right on every slice but on the mirror image of the second. */
  const specialized = {
    ask: async (slices: readonly Float32Array[]) => {
      const all = new Float32Array(2 * pixels * slices.length);
      for (const [n, image] of slices.entries()) {
        const isSecondMirrored = n === 1 && image[0] !== other.image[0];
        for (let at = 0; at < pixels; at++) {
          const found = !isSecondMirrored && (image[at] ?? 0) > 0.5 ? 1 : 0;
          all.set([1 - found], n * 2 * pixels + at);
          all.set([found], n * 2 * pixels + pixels + at);
        }
      }
      return all;
    },
  } as unknown as SpecializedTeacher;
  const asked: Prompts[] = [];
  const generalized: GeneralizedTeacher = {
    description: '',
    features: null,
    prepare: async () => {},
    async ask({ prompts }) {
      asked.push(prompts);
      return null;
    },
  };
  const admitted = { specialized, generalized, calibration: uncalibrated(2, settings) };
  const alone = { ...admitted, calibration: refused(2, settings) };
  // The same numbers as a slice, and as a volume of as many columns.
  for (const space of [
    [size, size],
    [4, size / 4, size],
  ]) {
    const consult = (sliceGate: number, teachers = admitted): Promise<Arrays> =>
      consultTeachers(teachers, [one.image, other.image], { classes: 2, space }, { promptComponents: 1, sliceGate });
    assert.deepEqual((await consult(0.7))['kept'], Float32Array.of(1, 0));
    assert.deepEqual((await consult(0))['kept'], Float32Array.of(1, 1));
    const [prompt] = asked.splice(0)[0]?.[0] ?? [];
    assert.deepEqual((await consult(0.7, alone))['kept'], Float32Array.of(1, 1), 'nobody admitted, no gate');
    assert.ok(
      asked
        .splice(0)
        .flat()
        .every(({ length }) => length === 0),
      'and nothing to ask with',
    );
    assert.ok(prompt && (space.length === 2 ? 'top' : 'slice') in prompt, 'boxes in slices, clicks in volumes');
  }
});

test('a teacher that is not admitted for a class has no word where the specialized one sees it', async () => {
  const [slice] = blobs(50, 1);
  assert.ok(slice);
  const three = { classes: 3, space: [size, size] };
  const probabilities = new Float32Array(3 * pixels);
  // Class 1 on the left half, class 2 where the blob is, background elsewhere.
  for (let at = 0; at < pixels; at++) {
    const label = slice.label[at] === 1 ? 2 : at % size < 4 ? 1 : 0;
    probabilities[label * pixels + at] = 1;
  }
  const specialized = { ask: async () => probabilities } as unknown as SpecializedTeacher;
  const asked: (readonly unknown[])[] = [];
  const generalized: GeneralizedTeacher = {
    description: '',
    features: null,
    prepare: async () => {},
    ask: async ({ prompts }) => {
      asked.push(...prompts);
      return new Float32Array(2 * pixels).fill(3);
    },
  };
  const calibration = { ...uncalibrated(3, settings), admitted: [false, true] };
  const out = await consultTeachers({ specialized, generalized, calibration }, [slice.image], three, {
    promptComponents: 1,
    sliceGate: 0,
  });
  assert.deepEqual(
    asked.map((prompts) => prompts.length),
    [0, 1],
  );
  for (let at = 0; at < pixels; at++) {
    assert.equal(out['answered']?.[at], probabilities[pixels + at] === 1 ? 0 : 1);
  }
});

test('the specialized teacher answers any number of slices as it answers one', async () => {
  const config = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
  const weights = initialise(engine.table(config.inferenceProgram(1, [size, size])), 3);
  const teacher = await SpecializedTeacher.of(engine, config, { batch: 2, space: [size, size] }, weights);
  const images = blobs(60, 5).map(({ image }) => image);
  const all = await teacher.ask(images);
  assert.equal(all.length, 5 * 2 * pixels);
  const last = await teacher.ask(images.slice(4));
  const worst = last.reduce((most, value, at) => Math.max(most, Math.abs(value - (all[8 * pixels + at] ?? 0))), 0);
  assert.ok(worst < 1e-6, `${worst}`);
  await teacher.dispose();
});
