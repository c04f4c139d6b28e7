import { cut, filled, isSame, requireWeights, shareOf } from '../arrays.ts';
import type { ForwardProgram, Predictor } from '../ops.ts';
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
      const share = shareOf(inputs, built.inputs);
      const feeds: Record<string, BoundArray> = bindInputs(
        share === 1 ? inputs : filled(inputs, built.inputs),
        built.inputs,
      );
      if (!frozen) feeds[weightsInput] = bind(weights, [weights.length]);
      const running = await sessionFor(weights);
      const outputs = await running.run(feeds, wantedOf(built));
      return share === 1 ? outputs : cut(outputs, share);
    },
    async dispose() {
      await session?.close();
      session = undefined;
    },
  };
}

function wantedOf(built: BuiltProgram): Record<string, null> {
  return Object.fromEntries(Object.keys(built.outputs).map((name) => [name, null]));
}
