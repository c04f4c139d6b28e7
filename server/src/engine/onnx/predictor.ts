import type { Arrays, ForwardProgram, InputShapes, Predictor } from '../ops.ts';
import { familyOf } from './forms.ts';
import { sizeOf } from './graph.ts';
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
      if (weights.length !== built.table.size) {
        throw new RangeError(`weights: ${weights.length} values for ${built.table.size} parameters`);
      }
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

function isSame(a: Float32Array, b: Float32Array): boolean {
  const bytes = (array: Float32Array): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  return bytes(a).equals(bytes(b));
}

function wantedOf(built: BuiltProgram): Record<string, null> {
  return Object.fromEntries(Object.keys(built.outputs).map((name) => [name, null]));
}

/** Part of the batch that is given: 1 when full, the same in every input. */
function shareOf(inputs: Arrays, shapes: InputShapes): number {
  const shares = Object.entries(shapes).map(([name, shape]) => {
    const given = (inputs[name]?.length ?? 0) / sizeOf(shape);
    const samples = given * shape[0]!;
    if (!Number.isInteger(samples) || samples < 1 || given > 1) {
      throw new RangeError(`input ${name}: ${inputs[name]?.length ?? 0} values for shape [${shape.join(',')}]`);
    }
    return given;
  });
  const share = shares[0] ?? 1;
  if (shares.some((other) => other !== share)) throw new RangeError('inputs hold different numbers of samples');
  return share;
}

function filled(inputs: Arrays, shapes: InputShapes): Arrays {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => {
      const shape = shapes[name];
      if (shape === undefined) return [name, array];
      const full = new Float32Array(sizeOf(shape));
      full.set(array);
      return [name, full];
    }),
  );
}

function cut(outputs: Arrays, share: number): Arrays {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, array]) => [name, array.slice(0, Math.round(array.length * share))]),
  );
}
