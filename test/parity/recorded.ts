import { execFileSync } from 'node:child_process';
import type { Ops, Shape, Tensor } from '../../server/src/engine/ops.ts';
import { python, scriptOf } from './torch.ts';

/** A call of the vocabulary; of its arguments, tensors are named by their number (`torch/operators.py`). */
interface Call {
  readonly operator: string;
  readonly arguments: readonly unknown[];
}

/** A text on given operands, by the calls that it makes. */
export interface Recorded {
  readonly operands: readonly { readonly shape: Shape; readonly values: readonly number[] }[];
  readonly calls: readonly Call[];
  /** Of each entry of the result in the sum whose gradients are wanted; null: none are. */
  readonly weighting: readonly number[] | null;
}

/** What PyTorch makes of it. */
export interface Answer {
  readonly shape: Shape;
  readonly values: readonly number[];
  /** One an operand; none without a weighting. */
  readonly gradients: readonly (readonly number[])[];
}

/** The vocabulary `ops`, and the calls made through it so far. */
export function recording(
  ops: Ops,
  operands: readonly Tensor[],
): { readonly ops: Ops; readonly calls: readonly Call[] } {
  const numbers = new Map<unknown, number>(operands.map((tensor, number) => [tensor, number]));
  const calls: Call[] = [];
  const plain = (value: unknown): unknown => {
    if (numbers.has(value)) return { tensor: numbers.get(value) };
    return Array.isArray(value) || value instanceof Float32Array ? Array.from(value, plain) : value;
  };
  const wrapped = Object.entries(ops).map(([operator, apply]: [string, (...values: unknown[]) => Tensor]) => [
    operator,
    (...values: unknown[]): Tensor => {
      const result = apply(...values);
      calls.push({ operator, arguments: values.map(plain) });
      numbers.set(result, operands.length + calls.length - 1);
      return result;
    },
  ]);
  return { ops: Object.fromEntries(wrapped) as unknown as Ops, calls };
}

/** Runs all of them in PyTorch, in double precision. */
export function askOperators(recorded: readonly Recorded[]): readonly Answer[] {
  const answer = execFileSync(python, [scriptOf('operators')], {
    input: JSON.stringify(recorded),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(answer) as readonly Answer[];
}
