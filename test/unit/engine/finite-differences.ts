import assert from 'node:assert/strict';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { Arrays, Engine, LossProgram, Ops, Shape, Tensor } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';

/** The engine of all tests of this folder that name no other. */
export const engine: Engine = createOnnxEngine({ threads: 2 });

export function normals(seed: number, count: number, sd = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal(sd));
}

/** Loss = sum of a fixed random weighting of the text's result, so that every output entry matters differently. */
export function weightedSum(ops: Ops, result: Tensor, seed = 77): Tensor {
  return ops.sum(ops.mul(result, ops.constant(weightingOf(result.shape, seed), result.shape)));
}

/** The weighting of {@link weightedSum}. */
export function weightingOf(shape: Shape, seed = 77): Float32Array {
  return normals(
    seed,
    shape.reduce((product, size) => product * size, 1),
  );
}

/** A program whose parameters are the operands of one operator. */
export function operatorProgram(shapes: readonly Shape[], apply: (ops: Ops, ...xs: Tensor[]) => Tensor): LossProgram {
  return {
    inputs: {},
    build(ops, parameters) {
      const xs = shapes.map((shape, index) => parameters.get(`x${index}`, shape, { kind: 'zeros' }));
      return { loss: weightedSum(ops, apply(ops, ...xs)), terms: {} };
    },
  };
}

/** How a check is made; `tolerance` is relative to the derivative along the direction. */
export interface Check {
  readonly directions?: number;
  readonly step?: number;
  readonly tolerance?: number;
  readonly inputs?: Arrays;
  /** Whose gradient is checked. */
  readonly by?: Engine;
}

/**
 * The gradient against central differences of the loss that the *predictor* gives: of the inference graph in the onnx
 * reading, so that the two forms of each operator are compared as well. Directions are random but half along the
 * gradient, so that the derivative is never a small difference of large numbers. Float32 losses carry about 1e-7 of the
 * summed magnitudes, which a step of 1e-2 turns into 1e-5; curvature adds about as much: 5e-3 separates that safely
 * from a wrong formula.
 */
export async function assertGradient(program: LossProgram, weights: Float32Array, check: Check = {}): Promise<void> {
  const { directions = 2, step = 1e-2, tolerance = 5e-3, inputs = {}, by = engine } = check;
  const { loss, gradient } = await by.gradients(program, weights, inputs);
  const predictor = await by.predictor({
    inputs: program.inputs,
    build: (ops, parameters, tensors) => ({ loss: ops.reshape(program.build(ops, parameters, tensors).loss, [1]) }),
  });
  try {
    const lossAt = async (at: Float32Array): Promise<number> => (await predictor.run(at, inputs))['loss']![0]!;
    const direct = await lossAt(weights);
    assert.ok(
      Math.abs(direct - loss) <= 1e-4 * (1 + Math.abs(loss)),
      `loss ${loss} in training, ${direct} in inference`,
    );
    const length = lengthOf(gradient);
    assert.ok(length > 0, 'gradient is zero everywhere');
    for (let index = 0; index < directions; index += 1) {
      const noise = normals(1000 + index, weights.length);
      const noiseLength = lengthOf(noise);
      const direction = noise.map((value, at) => (value / noiseLength + gradient[at]! / length) / 2);
      const shifted = (sign: number): Float32Array => weights.map((value, at) => value + sign * step * direction[at]!);
      const difference = (await lossAt(shifted(1))) - (await lossAt(shifted(-1)));
      const measured = difference / (2 * step);
      const claimed = gradient.reduce((sum, value, at) => sum + value * direction[at]!, 0);
      assert.ok(
        Math.abs(measured - claimed) <= tolerance * Math.abs(claimed),
        `direction ${index}: measured ${measured}, gradient says ${claimed}`,
      );
    }
  } finally {
    await predictor.dispose();
  }
}

function lengthOf(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}
