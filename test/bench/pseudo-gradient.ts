import type { Engine, LossProgram } from '../../server/src/engine/ops.ts';
import { feedOf } from '../../server/src/round/feed.ts';
import { gatherRound, type RoundSources } from '../../server/src/round/gather.ts';
import { Measure } from '../../server/src/round/measure.ts';
import type { RoundPlan } from '../../server/src/round/plan.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { product } from '../../server/src/student/layers.ts';
import type { PreparedVolume } from '../../server/src/student/prepare-volume.ts';
import { collaborateProgram } from '../../server/src/uncol/collaborate.ts';
import { labelledArrays, randomArrays } from '../../server/src/uncol/feed.ts';
import { trustThreshold } from '../../server/src/uncol/schedule.ts';
import { collaborationSettingsSchema } from '../../server/src/uncol/settings.ts';
import { uncalibrated } from '../../server/src/uncol/teachers/calibration.ts';
import { consultTeachers } from '../../server/src/uncol/teachers/consult.ts';
import { abstainingTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { SpecializedTeacher } from '../../server/src/uncol/teachers/specialized.ts';

/**
 * Length of the gradient of the unlabelled term alone, at the start of a round and on its own slices: proof that
 * unlabelled studies teach. 0 means that nothing was trusted, or that the term is not joined to the weights.
 */
export async function pseudoGradientNorm(
  plan: RoundPlan,
  sources: RoundSources,
  engine: Engine,
  inService: Float32Array,
): Promise<number> {
  const student = studentOf(sources.card.architecture);
  const feed = feedOf(sources.card);
  const { pairs, space } = feed;
  const settings = collaborationSettingsSchema.parse({ totalSteps: plan.steps, seed: plan.seed });
  const measure = await Measure.create(engine, sources.card);
  const teacher = await SpecializedTeacher.of(engine, student, { batch: 2 * pairs, space }, inService);
  try {
    const find = (volume: PreparedVolume) => measure.find(inService, volume);
    const { corrected, replay, unlabelled } = await gatherRound(plan, sources, feed, find, () => undefined);
    const ours = corrected.flatMap(({ pieces }) => pieces);
    const labelled = [...ours.slice(0, pairs), ...replay.slice(0, pairs)];
    const size = { classes: student.classes, space };
    const { trustStart: start, trustEnd: end } = settings;
    const calibration = uncalibrated(student.classes, settings);
    const asked = unlabelled.slice(0, 2 * pairs);
    const inputs = {
      ...labelledArrays(labelled, product(space)),
      ...(await consultTeachers(
        { specialized: teacher, generalized: abstainingTeacher(''), calibration },
        asked,
        size,
        settings,
      )),
      temperature: Float32Array.from(calibration.temperature),
      ...randomArrays(settings, 'collaboration', 0, student, { mixes: 2 * pairs, space }),
      threshold: Float32Array.of(trustThreshold(0, plan.steps, { start, end })),
    };
    const program = onlyPseudo(collaborateProgram(student, { pairs, space }, settings));
    const { gradient } = await engine.gradients(program, inService, inputs);
    return Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
  } finally {
    await measure.dispose();
    await teacher.dispose();
  }
}

/** The program with its unlabelled term as the whole loss. */
function onlyPseudo(program: LossProgram): LossProgram {
  return {
    inputs: program.inputs,
    build(...text) {
      const { pseudo } = program.build(...text).terms;
      if (!pseudo) throw new RangeError('the program has no unlabelled term');
      return { loss: pseudo, terms: {} };
    },
  };
}
