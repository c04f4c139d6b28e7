import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import { test } from 'node:test';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { collaborationSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { Collaboration } from '../../../server/src/uncol/stage-two.ts';
import { uncalibrated } from '../../../server/src/uncol/teachers/calibration.ts';
import type { GeneralizedTeacher } from '../../../server/src/uncol/teachers/generalized.ts';
import { blobs, size } from './blobs.ts';
import { engine } from './on-engine.ts';

/** Float sums differ between families of processors, so the bits hold on the one that gave them; the losses anywhere. */
const golden = {
  losses: [1.9068856, 1.7763252],
  processor: 'AMD EPYC',
  state: 'f815f811e13bf97b63ef543287ef481b30376156b123224b612eafe27aa9e2b5',
};

const teacher: GeneralizedTeacher = {
  description: 'Foreground where the slice is bright.',
  features: null,
  prepare: async () => {},
  ask: async ({ image }) => image.map((value) => 8 * (value - 0.45)),
};

test('two steps of stage 2 in 2D give what they gave before the text held for 3D', async (context) => {
  const student = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
  const settings = collaborationSettingsSchema.parse({ totalSteps: 40, seed: 7, trustStart: 1, sliceGate: 0 });
  const guidance = { teacher, calibration: uncalibrated(student.classes, settings) };
  const start = initialState(initialise(engine.table(student.inferenceProgram(1, [size, size])), 11));
  const plan = { pairs: 1, guidance, space: [size, size] };
  const stage = await Collaboration.create(engine, student, settings, plan, start);
  try {
    const hash = createHash('sha256');
    for (const [step, loss] of golden.losses.entries()) {
      const unlabelled = blobs(300 + 2 * step, 2).map((slice) => slice.image);
      const done = await stage.step({ labelled: blobs(1 + 2 * step, 2), unlabelled });
      assert.ok(Math.abs(done.loss - loss) < 1e-5 * loss, `${done.loss}`);
    }
    const { student: weights, ema, firstMoment, secondMoment } = await stage.state();
    for (const vector of [weights, ema, firstMoment, secondMoment]) hash.update(new Uint8Array(vector.buffer));
    const processor = cpus()[0]?.model ?? '';
    if (processor === golden.processor) assert.equal(hash.digest('hex'), golden.state);
    else context.diagnostic(`the bits were not compared: they are those of ${golden.processor}, this is ${processor}`);
  } finally {
    await stage.dispose();
  }
});
