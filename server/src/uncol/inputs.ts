import type { Shape, Tensor, Tensors } from '../engine/ops.ts';

/** Sizes of a slice, [H,W], or of a window of a volume, [D,H,W]; classes with the background. */
export interface ImageSize {
  readonly classes: number;
  readonly space: Shape;
}

/** The named input of a program. @throws RangeError when it is not there. */
export function take(inputs: Tensors, name: string): Tensor {
  const tensor = inputs[name];
  if (!tensor) throw new RangeError(`input ${name} is missing; there are ${Object.keys(inputs).join(', ')}`);
  return tensor;
}

/** The shape of one value for all of a space: [1,1] or [1,1,1]. */
export function everywhere(space: Shape): number[] {
  return space.map(() => 1);
}

/** Arrays one after another, as float32: images [space...] become a batch [N,1,space...]. */
export function stack(arrays: readonly ArrayLike<number>[], lengthEach: number): Float32Array {
  const batch = new Float32Array(arrays.length * lengthEach);
  for (const [index, array] of arrays.entries()) {
    if (array.length !== lengthEach)
      throw new RangeError(`array ${index} of the batch holds ${array.length} values instead of ${lengthEach}`);
    batch.set(array, index * lengthEach);
  }
  return batch;
}
