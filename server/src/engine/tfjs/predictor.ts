import * as tf from '@tensorflow/tfjs-core';
import { cut, filled, isSame, requireArrays, requireWeights, shareOf } from '../arrays.ts';
import { collectTable } from '../onnx/programs.ts';
import type { Arrays, Follower, ForwardProgram, Parameters, ParameterTable, Predictor } from '../ops.ts';
import { knownParameters } from '../parameter-table.ts';
import { download, ownHandles, parametersOf, tidied, upload, useBackend } from './device.ts';
import { tfjsOps } from './ops.ts';

/** Weights and where they lie on the device. */
interface Uploaded {
  readonly weights: Float32Array;
  readonly parameters: readonly tf.Tensor[];
}

/** Runs `program` on `backend`. Frozen, the weights stay on the device until others come. */
export function openPredictor(
  program: ForwardProgram,
  table: ParameterTable,
  frozen: boolean,
  backend: string,
): Predictor {
  let uploaded: Uploaded | undefined;
  const release = (): void => {
    tf.dispose([...(uploaded?.parameters ?? [])]);
    uploaded = undefined;
  };
  const parametersFor = (weights: Float32Array): readonly tf.Tensor[] => {
    if (uploaded !== undefined && isSame(uploaded.weights, weights)) return uploaded.parameters;
    release();
    const copy = weights.slice();
    uploaded = { weights: copy, parameters: tidied(() => parametersOf(table, tf.tensor1d(copy, 'float32'))) };
    return uploaded.parameters;
  };

  return {
    table,
    async run(weights, inputs) {
      requireWeights(weights, table);
      useBackend(backend);
      const parameters = knownParameters(table, parametersFor(weights));
      try {
        return await runText(program, inputs, () => parameters)();
      } finally {
        if (!frozen) release();
      }
    },
    async dispose() {
      release();
    },
  };
}

/** Runs `program` with weights on the device that follow `table`, as `weights` gives them at the time. */
export function openFollower(
  program: ForwardProgram,
  table: ParameterTable,
  weights: () => tf.Tensor1D,
  backend: string,
): Follower {
  // Names what is missing at once, not when it runs first.
  const known = new Set(table.rows.map(({ name }) => name));
  const unknown = collectTable(program).rows.find(({ name }) => !known.has(name));
  if (unknown) throw new RangeError(`parameter ${unknown.name} is not trained`);
  return {
    async run(inputs) {
      useBackend(backend);
      return runText(program, inputs, () => knownParameters(table, parametersOf(table, weights())))();
    },
    dispose: async () => undefined,
  };
}

/** Reads the text, and says how to fetch what it gave. Parameters made here are freed here. */
function runText(program: ForwardProgram, inputs: Arrays, parameters: () => Parameters): () => Promise<Arrays> {
  const share = shareOf(inputs, program.inputs);
  const whole = share === 1 ? inputs : filled(inputs, program.inputs);
  requireArrays(whole, program.inputs);
  const results = tidied(() => ownHandles(program.build(tfjsOps, parameters(), upload(whole, program.inputs))));
  return async () => {
    const outputs = await download(results);
    return share === 1 ? outputs : cut(outputs, share);
  };
}
