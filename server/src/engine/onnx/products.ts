import type { Ops, Shape } from '../ops.ts';
import { reshaped, unbroadcast, type Writing } from './gradients.ts';
import { asValue, sizeOf, type Value } from './graph.ts';
import { broadcastShape } from './pointwise.ts';
import { transposed } from './shaping.ts';

/** Which operands of a product are taken with their last two axes swapped. */
export interface Swapped {
  readonly a?: boolean;
  readonly b?: boolean;
}

/** Batched matrix product over the last two axes, either operand swapped, in the form of the device family. */
export function product({ graph, forms }: Writing, a: Value, b: Value, swapped: Swapped = {}): Value {
  const [rows, inner] = lastTwo(a.shape, swapped.a);
  const [innerB, columns] = lastTwo(b.shape, swapped.b);
  if (rows === undefined || columns === undefined || inner !== innerB) {
    throw new RangeError(`matmul: [${a.shape.join(',')}] and [${b.shape.join(',')}] do not fit`);
  }
  const batch = broadcastShape('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  if (!swapped.a && !swapped.b) return graph.emit('MatMul', [a, b], shape);
  if (forms.fusedMatMul) {
    const attributes = { transA: { i: swapped.a ? 1 : 0 }, transB: { i: swapped.b ? 1 : 0 } };
    return graph.emit('FusedMatMul', [a, b], shape, attributes, { domain: 'com.microsoft' });
  }
  const swap = (x: Value): Value => transposed(graph, x, swapLast(x.shape.length));
  return graph.emit('MatMul', [swapped.a ? swap(a) : a, swapped.b ? swap(b) : b], shape);
}

/** Matrix products with their gradients. */
export function productOps(writing: Writing): Pick<Ops, 'matmul'> {
  const { graph, tape } = writing;
  return {
    matmul: (left, right) => {
      const [a, b] = [asValue(left), asValue(right)];
      if (a.shape.length < 2 || b.shape.length < 2) {
        throw new RangeError(`matmul: [${a.shape.join(',')}] and [${b.shape.join(',')}] need two axes`);
      }
      return tape.record([a, b], product(writing, a, b), [
        (dy) => unbroadcast(graph, product(writing, dy, b, { b: true }), a.shape),
        (dy) => {
          // One weight matrix for all rows: one product over all of them instead of one a batch entry, summed.
          if (b.shape.length === 2) return product(writing, rowsOf(writing, a), rowsOf(writing, dy), { a: true });
          return unbroadcast(graph, product(writing, a, dy, { a: true }), b.shape);
        },
      ]);
    },
  };
}

function rowsOf({ graph }: Writing, x: Value): Value {
  const width = x.shape.at(-1)!;
  return reshaped(graph, x, [sizeOf(x.shape) / width, width]);
}

function lastTwo(shape: Shape, swapped = false): readonly (number | undefined)[] {
  const pair = shape.slice(-2);
  return swapped ? pair.reverse() : pair;
}

function swapLast(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) =>
    axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis,
  );
}
