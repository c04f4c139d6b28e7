import type { Arrays, LossProgram, Optimiser, Trainer, TrainingState } from '../ops.ts';
import { rateCount, ratesOf } from '../rates.ts';
import { familyOf } from './forms.ts';
import { openFollower } from './predictor.ts';
import { buildStep } from './programs.ts';
import { bind, bindInputs, Session, type SessionOptions } from './session.ts';
import { createDeviceState, createHostState, type TrainerState, vectorNames } from './trainer-state.ts';

/** Compiles `program` with its optimiser. The state stays on the device where the runtime can keep it there. */
export async function openTrainer(
  program: LossProgram,
  optimiser: Optimiser,
  initial: TrainingState,
  options: SessionOptions,
): Promise<Trainer> {
  const built = buildStep(program, familyOf(options.device), optimiser);
  const { table, terms: termNames } = built;
  requireSize(initial, table.size);
  const staysOnDevice = options.device === 'webgpu';
  const written = vectorNames.filter((name) => `${name}Next` in built.outputs);
  const session = await Session.open(built.bytes, options, staysOnDevice ? written.map((name) => `${name}Next`) : []);
  const vectors: TrainerState = staysOnDevice
    ? await createDeviceState(table.size, written, options)
    : createHostState(table.size, written);
  const wanted = Object.fromEntries(
    Object.keys(built.outputs).flatMap((name) => (name.endsWith('Next') ? [] : [[name, null]])),
  );
  let step = initial.step;
  await vectors.load(initial);

  return {
    table,
    async step(inputs: Arrays, { learningRate, emaDecay }) {
      const rates = bind(ratesOf(optimiser, step + 1, learningRate, emaDecay), [rateCount]);
      const feeds = { ...bindInputs(inputs, built.inputs), ...vectors.feeds(), rates };
      const result = await session.runKeeping(feeds, { ...wanted, ...vectors.fetches() });
      vectors.advance(result);
      step += 1;
      const { report, ...results } = result.arrays;
      const terms = Object.fromEntries(termNames.map((name, index) => [name, report![index + 1]!]));
      const outputs = Object.fromEntries(Object.entries(results).filter(([name]) => !name.endsWith('Next')));
      return { loss: report![0]!, terms, outputs };
    },
    follower: (program) => openFollower(program, table, () => vectors.feeds()['ema']!, options),
    async state() {
      const copy = async (name: (typeof vectorNames)[number]) => (await vectors.read(name)).slice();
      return {
        step,
        student: await copy('student'),
        ema: await copy('ema'),
        firstMoment: await copy('firstMoment'),
        secondMoment: await copy('secondMoment'),
      };
    },
    async load(state) {
      requireSize(state, table.size);
      await vectors.load(state);
      step = state.step;
    },
    async dispose() {
      await vectors.dispose();
      await session.close();
    },
  };
}

function requireSize(state: TrainingState, size: number): void {
  for (const name of vectorNames) {
    if (state[name].length !== size) {
      throw new RangeError(`state ${name}: ${state[name].length} values for ${size} parameters`);
    }
  }
}
