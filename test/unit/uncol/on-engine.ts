import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import type { Arrays, Ops, Shape, Tensor, Tensors } from '../../../server/src/engine/ops.ts';

/** The engine of the tests of this folder. */
export const engine = createOnnxEngine({ threads: 1 });

/** An array with its shape. */
export interface Given {
  readonly shape: Shape;
  readonly values: readonly number[] | Float32Array;
}
export const given = (shape: Shape, values: Given['values']): Given => ({ shape, values });

type Named<T> = Readonly<Record<string, T>>;
const shapesOf = (inputs: Named<Given>) =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
const arraysOf = (inputs: Named<Given>): Arrays =>
  Object.fromEntries(Object.entries(inputs).map(([name, { values }]) => [name, Float32Array.from(values)]));

/** Values of a text without parameters. */
export async function evaluate<Name extends string>(
  inputs: Readonly<Record<Name, Given>>,
  text: (ops: Ops, inputs: Readonly<Record<Name, Tensor>>) => Tensors,
): Promise<Arrays> {
  const predictor = await engine.predictor({
    inputs: shapesOf(inputs),
    build: (ops, _parameters, tensors) => text(ops, tensors as Readonly<Record<Name, Tensor>>),
  });
  try {
    return await predictor.run(new Float32Array(predictor.table.size), arraysOf(inputs));
  } finally {
    await predictor.dispose();
  }
}

/** Value of a scalar text of `logits`, and its gradient with respect to them. */
export function differentiate<Name extends string>(
  logits: Given,
  inputs: Readonly<Record<Name, Given>>,
  text: (ops: Ops, logits: Tensor, inputs: Readonly<Record<Name, Tensor>>) => Tensor,
): Promise<{ loss: number; gradient: Float32Array }> {
  return engine.gradients(
    {
      inputs: shapesOf(inputs),
      build(ops, parameters, tensors) {
        const x = parameters.get('logits', logits.shape, { kind: 'zeros' });
        return { loss: text(ops, x, tensors as Readonly<Record<Name, Tensor>>), terms: {} };
      },
    },
    Float32Array.from(logits.values),
    arraysOf(inputs),
  );
}
