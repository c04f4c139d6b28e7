import { cut, filled, isSame, requireWeights, shareOf } from '../arrays.ts';
import type { Arrays, Follower, ForwardProgram, ParameterTable, Predictor } from '../ops.ts';
import { familyOf } from './forms.ts';
import { type BuiltProgram, buildForward, weightsInput } from './programs.ts';
import { type BoundArray, bind, bindInputs, Session, type SessionOptions } from './session.ts';

/** Compiles `program`. Frozen, the session is made at the first run and again whenever other weights come. */
export async function openPredictor(
  program: ForwardProgram,
  frozen: boolean,
  options: SessionOptions,
): Promise<Predictor> {
  const family = familyOf(options.device);
  const built = buildForward(program, family);
  let session = frozen ? undefined : await Session.open(built.bytes, options);
  let compiled: Float32Array | undefined;

  const sessionFor = async (weights: Float32Array): Promise<Session> => {
    if (session !== undefined && (!frozen || isSame(compiled!, weights))) return session;
    await session?.close();
    session = undefined;
    compiled = weights.slice();
    session = await Session.open(buildForward(program, family, compiled).bytes, options);
    return session;
  };

  return {
    table: built.table,
    async run(weights, inputs) {
      requireWeights(weights, built.table);
      const { feeds, cutTo } = feedsOf(inputs, built);
      if (!frozen) feeds[weightsInput] = bind(weights, [weights.length]);
      const running = await sessionFor(weights);
      return cutTo(await running.run(feeds, wantedOf(built)));
    },
    async dispose() {
      await session?.close();
      session = undefined;
    },
  };
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
      const { feeds, cutTo } = feedsOf(inputs, built);
      return cutTo(await session.run({ ...feeds, [weightsInput]: weights() }, wantedOf(built)));
    },
    dispose: () => session.close(),
  };
}

/** Inputs filled up to the compiled number of samples, and how to cut the outputs back. */
function feedsOf(inputs: Arrays, { inputs: shapes }: BuiltProgram) {
  const share = shareOf(inputs, shapes);
  const feeds: Record<string, BoundArray> = bindInputs(share === 1 ? inputs : filled(inputs, shapes), shapes);
  return { feeds, cutTo: (outputs: Arrays): Arrays => (share === 1 ? outputs : cut(outputs, share)) };
}

function wantedOf(built: BuiltProgram): Record<string, null> {
  return Object.fromEntries(Object.keys(built.outputs).map((name) => [name, null]));
}
