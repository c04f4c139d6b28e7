import type { Tensor, Tensors } from '../engine/ops.ts';

/** The named input of a program. @throws RangeError when it is not there. */
export function take(inputs: Tensors, name: string): Tensor {
  const tensor = inputs[name];
  if (!tensor) throw new RangeError(`input ${name} is missing; there are ${Object.keys(inputs).join(', ')}`);
  return tensor;
}

/** Arrays one after another, as float32: slices [H,W] become a batch [N,1,H,W]. */
export function stack(arrays: readonly ArrayLike<number>[], lengthEach: number): Float32Array {
  const batch = new Float32Array(arrays.length * lengthEach);
  for (const [index, array] of arrays.entries()) {
    if (array.length !== lengthEach)
      throw new RangeError(`array ${index} of the batch holds ${array.length} values instead of ${lengthEach}`);
    batch.set(array, index * lengthEach);
  }
  return batch;
}
