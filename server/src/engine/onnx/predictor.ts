import { cut, filled, isSame, requireWeights, shareOf } from '../arrays.ts';
import type { Arrays, Follower, ForwardProgram, InputShapes, ParameterTable, Predictor } from '../ops.ts';
import { familyOf } from './forms.ts';
import { Lanes, laneCount, shapesOfLane } from './lanes.ts';
import { type BuiltProgram, buildForward, collectTable, weightsInput } from './programs.ts';
import { type BoundArray, bind, bindInputs, Session, type SessionOptions } from './session.ts';

/** Compiles `program`; its weights come with every run. */
export async function openPredictor(program: ForwardProgram, options: SessionOptions): Promise<Predictor> {
  const built = buildForward(program, familyOf(options.device));
  const session = await Session.open(built.bytes, options);
  return {
    table: built.table,
    async run(weights, inputs) {
      requireWeights(weights, built.table);
      const { full, cutTo } = fullBatch(inputs, built.inputs);
      const feeds = { ...bindInputs(full, built.inputs), [weightsInput]: bind(weights, [weights.length]) };
      return cutTo(await session.run(feeds, wantedOf(built)));
    },
    dispose: () => session.close(),
  };
}

/** The same with the weights compiled in, at the first run and again whenever other weights come. */
export function frozenPredictor(program: ForwardProgram, options: SessionOptions): Predictor {
  const table = collectTable(program);
  let running: Compiled | undefined;
  let compiled: Float32Array | undefined;

  const compiledFor = async (weights: Float32Array): Promise<Compiled> => {
    if (running !== undefined && isSame(compiled!, weights)) return running;
    await running?.close();
    running = undefined;
    compiled = weights.slice();
    running = await compile(program, compiled, options);
    return running;
  };

  return {
    table,
    async run(weights, inputs) {
      requireWeights(weights, table);
      const { full, cutTo } = fullBatch(inputs, program.inputs);
      return cutTo(await (await compiledFor(weights)).run(full));
    },
    async dispose() {
      await running?.close();
      running = undefined;
    },
  };
}

/** A graph with its weights in it. */
type Compiled = Pick<Lanes, 'run' | 'close'>;

async function compile(program: ForwardProgram, weights: Float32Array, options: SessionOptions): Promise<Compiled> {
  const lanes = laneCount(program.inputs, options);
  const inputs = shapesOfLane(program.inputs, lanes);
  const built = buildForward({ ...program, inputs }, familyOf(options.device), weights);
  if (lanes > 1) return Lanes.open(built.bytes, inputs, lanes, options);
  const session = await Session.open(built.bytes, options);
  return { run: (full) => session.run(bindInputs(full, inputs), wantedOf(built)), close: () => session.close() };
}

/** Compiles `program` to run with weights that follow `table`, wherever `weights` says they lie at the time. */
export async function openFollower(
  program: ForwardProgram,
  table: ParameterTable,
  weights: () => BoundArray,
  options: SessionOptions,
): Promise<Follower> {
  const built = buildForward(program, familyOf(options.device), undefined, table);
  const session = await Session.open(built.bytes, options);
  return {
    async run(inputs) {
      const { full, cutTo } = fullBatch(inputs, built.inputs);
      return cutTo(
        await session.run({ ...bindInputs(full, built.inputs), [weightsInput]: weights() }, wantedOf(built)),
      );
    },
    dispose: () => session.close(),
  };
}

/** Inputs filled up to the compiled number of samples, and how to cut the outputs back. */
function fullBatch(inputs: Arrays, shapes: InputShapes) {
  const share = shareOf(inputs, shapes);
  const full = share === 1 ? inputs : filled(inputs, shapes);
  return { full, cutTo: (outputs: Arrays): Arrays => (share === 1 ? outputs : cut(outputs, share)) };
}

function wantedOf(built: BuiltProgram): Record<string, null> {
  return Object.fromEntries(Object.keys(built.outputs).map((name) => [name, null]));
}
