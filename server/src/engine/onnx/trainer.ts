import { requireState } from '../arrays.ts';
import type { Arrays, LossProgram, Optimiser, ParameterTable, Trainer, TrainingState } from '../ops.ts';
import { rateCount, ratesOf } from '../rates.ts';
import { buildStep } from './programs.ts';
import { type BoundArray, bind, bindInputs, Session, type SessionOptions } from './session.ts';

const vectorNames = ['student', 'ema', 'firstMoment', 'secondMoment'] as const;
type VectorName = (typeof vectorNames)[number];
type Vectors = Readonly<Record<VectorName, Float32Array>>;

/** One set of state vectors with its bindings as inputs of a step and as outputs of the step before. */
interface StateSet {
  readonly vectors: Vectors;
  readonly feeds: Readonly<Record<string, BoundArray>>;
  readonly fetches: Readonly<Record<string, BoundArray>>;
}

/** Compiles `program` with its optimiser. Two state sets alternate: the big vectors are never allocated again. */
export async function openTrainer(
  program: LossProgram,
  optimiser: Optimiser,
  initial: TrainingState,
  options: SessionOptions,
): Promise<Trainer> {
  const built = buildStep(program, 'cpu', optimiser);
  const session = await Session.open(built.bytes, options);
  const kept = vectorNames.filter((name) => `${name}Next` in built.outputs);
  const wanted: Record<string, null> = { report: null };
  for (const name of Object.keys(built.outputs)) if (!name.endsWith('Next')) wanted[name] = null;
  let current = emptySet(built.table, kept);
  let next = emptySet(built.table, kept);
  let step = 0;

  const load = (state: TrainingState): void => {
    requireState(state, built.table);
    for (const name of vectorNames) current.vectors[name].set(state[name]);
    // What the optimiser does not write must be the same in both sets.
    for (const name of vectorNames) next.vectors[name].set(state[name]);
    step = state.step;
  };
  load(initial);

  return {
    table: built.table,
    async step(inputs: Arrays, { learningRate, emaDecay }) {
      const rates = bind(ratesOf(optimiser, step + 1, learningRate, emaDecay), [rateCount]);
      const feeds = { ...bindInputs(inputs, built.inputs), ...current.feeds, rates };
      const { report, ...results } = await session.run(feeds, { ...wanted, ...next.fetches });
      [current, next] = [next, current];
      step += 1;
      const terms = Object.fromEntries(built.terms.map((name, index) => [name, report![index + 1]!]));
      const outputs = Object.fromEntries(Object.entries(results).filter(([name]) => !name.endsWith('Next')));
      return { loss: report![0]!, terms, outputs };
    },
    get ema() {
      return current.vectors.ema;
    },
    state: () => ({
      step,
      student: current.vectors.student.slice(),
      ema: current.vectors.ema.slice(),
      firstMoment: current.vectors.firstMoment.slice(),
      secondMoment: current.vectors.secondMoment.slice(),
    }),
    load,
    dispose: () => session.close(),
  };
}

function emptySet(table: ParameterTable, kept: readonly VectorName[]): StateSet {
  const vectors: Vectors = {
    student: new Float32Array(table.size),
    ema: new Float32Array(table.size),
    firstMoment: new Float32Array(table.size),
    secondMoment: new Float32Array(table.size),
  };
  const shape = [table.size];
  return {
    vectors,
    feeds: Object.fromEntries(vectorNames.map((name) => [name, bind(vectors[name], shape)])),
    fetches: Object.fromEntries(kept.map((name) => [`${name}Next`, bind(vectors[name], shape)])),
  };
}
