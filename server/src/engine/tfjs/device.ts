import * as tf from '@tensorflow/tfjs-core';
import { AppError } from '../../errors/app-error.ts';
import type { Arrays, InputShapes, ParameterTable, Tensors } from '../ops.ts';
import { sizeOf } from '../shapes.ts';
import { asArray } from './arrays.ts';

/** Tensors on the device by name. */
export type DeviceTensors = Readonly<Record<string, tf.Tensor>>;

/**
 * Makes `backend` the one that computes. All engines of a process share this choice, so it is made anew before each
 * run. load.ts has opened the backend, hence the choice holds at once, not only when the promise settles.
 */
export function useBackend(backend: string): void {
  void tf.setBackend(backend);
}

const failures = new Map<string, string>();

/** Notes that a device answered with an error, after which nothing that it gives can be trusted. */
export function noteFailure(backend: string, reason: string): void {
  if (!failures.has(backend)) failures.set(backend, reason);
}

/**
 * `tf.tidy` for any result: what `compute` makes is freed, but for the tensors that the result holds.
 *
 * @throws AppError `engine-failed` when a kernel fails. Mistakes of the caller stay what they are.
 */
export function tidied<Result>(compute: () => Result): Result {
  try {
    return tf.tidy(compute as () => tf.TensorContainer) as Result;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError || error instanceof AppError) throw error;
    throw stopped(error instanceof Error ? error.message : String(error), error);
  }
}

function stopped(reason: string, cause?: unknown): AppError {
  return new AppError('engine-failed', `The network stopped: ${reason.slice(0, 500)}`, {}, { cause });
}

/** Named arrays on the device. The caller frees them. */
export function upload(arrays: Arrays, shapes: InputShapes): DeviceTensors {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, tf.tensor(arrays[name]!, [...shape], 'float32')]),
  );
}

/** The parameters of `table`, one a row, cut from the flat vector. The caller frees them. */
export function parametersOf(table: ParameterTable, weights: tf.Tensor1D): tf.Tensor[] {
  if (table.rows.length === 0) return [];
  const sizes = table.rows.map((row) => sizeOf(row.shape));
  return tidied(() => tf.split(weights, sizes).map((piece, index) => tf.reshape(piece, [...table.rows[index]!.shape])));
}

/** Handles of their own on what a text gives, so that freeing them frees neither inputs nor parameters. */
export function ownHandles(tensors: Tensors): DeviceTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tf.clone(asArray(tensor))]));
}

/** Copies to the host, and frees what was on the device. @throws AppError `engine-failed` when the device has failed. */
export async function download(tensors: DeviceTensors): Promise<Arrays> {
  try {
    const entries = Object.entries(tensors).map(async ([name, tensor]) => {
      const values = await tensor.data<'float32'>();
      // The pure backends hand out their own memory.
      return [name, values.slice()] as const;
    });
    const arrays = Object.fromEntries(await Promise.all(entries));
    const failure = failures.get(tf.getBackend());
    if (failure !== undefined) throw stopped(failure);
    return arrays;
  } finally {
    tf.dispose(tensors);
  }
}
