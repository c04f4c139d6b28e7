import * as tf from '@tensorflow/tfjs-core';
import type { Arrays, LossProgram, ParameterTable } from '../ops.ts';
import { knownParameters } from '../parameter-table.ts';
import { asArray } from './arrays.ts';
import { type DeviceTensors, ownHandles, parametersOf, tidied, upload } from './device.ts';
import { tfjsOps } from './ops.ts';

/** What one reading of a loss gives; the caller frees it all. */
export interface Differentiated {
  /** The loss, then the terms in the order of `terms`. */
  readonly report: tf.Tensor;
  readonly terms: readonly string[];
  /** Of the flat vector. */
  readonly gradient: tf.Tensor1D;
  readonly outputs: DeviceTensors;
}

/** Reads the text forward and walks TensorFlow.js's tape backwards; zeros where the loss does not use a parameter. */
export function differentiate(
  program: LossProgram,
  table: ParameterTable,
  student: tf.Tensor1D,
  inputs: Arrays,
): Differentiated {
  return tidied(() => {
    const parameters = parametersOf(table, student);
    const given = upload(inputs, program.inputs);
    let seen: Omit<Differentiated, 'gradient'> | undefined;
    const { grads } = tf.engine().gradients(
      () => {
        const { loss, terms, outputs = {} } = program.build(tfjsOps, knownParameters(table, parameters), given);
        const scalars = [loss, ...Object.values(terms)].map((scalar) => tf.reshape(asArray(scalar), [1]));
        // Kept, since all but the loss is freed when this function ends.
        const report = tf.keep(tf.concat(scalars));
        seen = { report, terms: Object.keys(terms), outputs: keptAll(ownHandles(outputs)) };
        return asArray(loss);
      },
      parameters,
      undefined,
      true,
    );
    const flat = table.rows.map((row, index) => {
      const gradient: tf.Tensor | undefined = grads[index];
      return tf.reshape(gradient ?? tf.zeros([...row.shape]), [-1]) as tf.Tensor1D;
    });
    return { ...seen!, gradient: tf.concat(flat) };
  });
}

function keptAll(tensors: DeviceTensors): DeviceTensors {
  for (const tensor of Object.values(tensors)) tf.keep(tensor);
  return tensors;
}
