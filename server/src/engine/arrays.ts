import type { Arrays, InputShapes, ParameterTable, TrainingState } from './ops.ts';
import { sizeOf } from './shapes.ts';

/** Refuses arrays that are missing, unknown or of the wrong size. @throws RangeError naming the input. */
export function requireArrays(arrays: Arrays, shapes: InputShapes): void {
  for (const name of Object.keys(arrays)) if (!(name in shapes)) throw new RangeError(`input ${name}: not asked for`);
  for (const [name, shape] of Object.entries(shapes)) {
    const array = arrays[name];
    if (array === undefined) throw new RangeError(`input ${name}: missing`);
    if (array.length !== sizeOf(shape)) {
      throw new RangeError(`input ${name}: ${array.length} values for shape [${shape.join(',')}]`);
    }
  }
}

/** Refuses weights of another network. @throws RangeError */
export function requireWeights(weights: Float32Array, table: ParameterTable): void {
  if (weights.length !== table.size) {
    throw new RangeError(`weights: ${weights.length} values for ${table.size} parameters`);
  }
}

/** Refuses the state of another network. @throws RangeError naming the vector. */
export function requireState(state: TrainingState, table: ParameterTable): void {
  for (const name of ['student', 'ema', 'firstMoment', 'secondMoment'] as const) {
    if (state[name].length !== table.size) {
      throw new RangeError(`state ${name}: ${state[name].length} values for ${table.size} parameters`);
    }
  }
}

/**
 * Part of the batch that is given: 1 when full, the same in every input.
 *
 * @throws RangeError when an input holds no whole number of samples, or another number than the others.
 */
export function shareOf(inputs: Arrays, shapes: InputShapes): number {
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

/** Inputs of a smaller batch as those of a full one, zeros behind. */
export function filled(inputs: Arrays, shapes: InputShapes): Arrays {
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

/** What a smaller batch gave, cut from what the full one gave. */
export function cut(outputs: Arrays, share: number): Arrays {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, array]) => [name, array.slice(0, Math.round(array.length * share))]),
  );
}

/** Whether two arrays are equal bit by bit. */
export function isSame(a: Float32Array, b: Float32Array): boolean {
  const bytes = (array: Float32Array): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  return bytes(a).equals(bytes(b));
}
