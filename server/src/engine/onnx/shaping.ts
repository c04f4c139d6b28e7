import type { Ops, Shape, ShapingOps } from '../ops.ts';
import { placed, reduced, reshaped, type Writing } from './gradients.ts';
import { asValue, type Graph, sizeOf, type Value } from './graph.ts';

/** The part of the vocabulary that moves, joins and reduces axes. */
export function shapingOps(writing: Writing): ShapingOps {
  return { ...layoutOps(writing), ...reductionOps(writing), ...axisOps(writing) };
}

/** Transpose; `permutation[i]` is the input axis that becomes axis i. */
export function transposed(graph: Graph, x: Value, permutation: readonly number[]): Value {
  if (permutation.every((from, to) => from === to)) return x;
  const shape = permutation.map((axis) => x.shape[axis]!);
  return graph.emit('Transpose', [x], shape, { perm: { ints: permutation } });
}

/** Entries [start, end) along `axis`. */
export function sliced(graph: Graph, x: Value, axis: number, start: number, end: number): Value {
  const shape = x.shape.map((size, index) => (index === axis ? end - start : size));
  const bounds = [graph.integers([start]), graph.integers([end]), graph.integers([axis])];
  return graph.emit('Slice', [x, ...bounds], shape);
}

/** Zeros before and after each axis; a negative count crops. */
export function padded(graph: Graph, x: Value, before: readonly number[], after: readonly number[]): Value {
  if (before.every((count) => count === 0) && after.every((count) => count === 0)) return x;
  const shape = x.shape.map((size, axis) => before[axis]! + size + after[axis]!);
  return graph.emit('Pad', [x, graph.integers([...before, ...after])], shape);
}

export function concatenated(graph: Graph, xs: readonly Value[], axis: number): Value {
  if (xs.length === 1) return xs[0]!;
  const shape = xs[0]!.shape.map((size, index) =>
    index === axis ? xs.reduce((sum, x) => sum + x.shape[axis]!, 0) : size,
  );
  return graph.emit('Concat', xs, shape, { axis: { i: axis } });
}

function layoutOps({ graph, tape }: Writing): Pick<Ops, 'reshape' | 'transpose' | 'concat' | 'slice'> {
  return {
    reshape: (x, shape) => {
      const input = asValue(x);
      if (sizeOf(input.shape) !== sizeOf(shape)) {
        throw new RangeError(`reshape: [${input.shape.join(',')}] does not fit [${shape.join(',')}]`);
      }
      const output = reshaped(graph, input, shape);
      return output === input ? input : tape.record([input], output, [(dy) => reshaped(graph, dy, input.shape)]);
    },
    transpose: (x, permutation) => {
      const input = asValue(x);
      if (permutation.toSorted((a, b) => a - b).some((axis, index) => axis !== index)) {
        throw new RangeError(`transpose: [${permutation.join(',')}] is no permutation`);
      }
      if (permutation.length !== input.shape.length) {
        throw new RangeError(`transpose: [${permutation.join(',')}] for shape [${input.shape.join(',')}]`);
      }
      const output = transposed(graph, input, permutation);
      if (output === input) return input;
      const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
      return tape.record([input], output, [(dy) => transposed(graph, dy, inverse)]);
    },
    concat: (xs, axis) => {
      const inputs = xs.map(asValue);
      requireAlike(inputs, axis);
      if (inputs.length === 1) return inputs[0]!;
      let start = 0;
      const backward = inputs.map((input) => {
        const from = start;
        start += input.shape[axis]!;
        const to = start;
        return (dy: Value) => sliced(graph, dy, axis, from, to);
      });
      return tape.record(inputs, concatenated(graph, inputs, axis), backward);
    },
    slice: (x, axis, start, end) => {
      const input = asValue(x);
      const size = input.shape[axis];
      if (size === undefined || start < 0 || end > size || start >= end) {
        throw new RangeError(`slice: [${start}, ${end}) on axis ${axis} of [${input.shape.join(',')}]`);
      }
      const output = sliced(graph, input, axis, start, end);
      return tape.record([input], output, [(dy) => placed(graph, dy, axis, start, input.shape)]);
    },
  };
}

function requireAlike(inputs: readonly Value[], axis: number): void {
  const first = inputs[0];
  if (first === undefined) throw new RangeError('concat: no inputs');
  for (const { shape } of inputs) {
    const fits = shape.length === first.shape.length && axis < shape.length;
    if (!fits || shape.some((size, index) => index !== axis && size !== first.shape[index])) {
      throw new RangeError(`concat: [${shape.join(',')}] beside [${first.shape.join(',')}] on axis ${axis}`);
    }
  }
}

function reductionOps({ graph, tape }: Writing): Pick<Ops, 'sum' | 'mean'> {
  const reduce = (
    operator: 'ReduceSum' | 'ReduceMean',
    x: Value,
    axes: readonly number[] = x.shape.map((_, axis) => axis),
    keepDims = false,
  ): Value => {
    if (axes.some((axis) => x.shape[axis] === undefined)) {
      throw new RangeError(`${operator}: axes [${axes.join(',')}] of [${x.shape.join(',')}]`);
    }
    const kept = reduced(graph, operator, x, axes);
    const output = keepDims
      ? kept
      : reshaped(
          graph,
          kept,
          x.shape.filter((_, axis) => !axes.includes(axis)),
        );
    if (output === x) return x;
    return tape.record([x], output, [
      (dy) => {
        const share = 1 / axes.reduce((product, axis) => product * x.shape[axis]!, 1);
        const scaled = operator === 'ReduceSum' ? dy : graph.emit('Mul', [dy, graph.scalar(share)], dy.shape);
        return expanded(graph, reshaped(graph, scaled, kept.shape), x.shape);
      },
    ]);
  };
  return {
    sum: (x, axes, keepDims) => reduce('ReduceSum', asValue(x), axes, keepDims),
    mean: (x, axes, keepDims) => reduce('ReduceMean', asValue(x), axes, keepDims),
  };
}

function keptShape(x: Value, axis: number): Shape {
  return x.shape.with(axis, 1);
}

function expanded(graph: Graph, x: Value, shape: Shape): Value {
  if (x.shape.every((size, axis) => size === shape[axis])) return x;
  return graph.emit('Expand', [x, graph.integers(shape)], shape);
}

function axisOps({ graph, tape, forms }: Writing): Pick<Ops, 'softmax' | 'logSoftmax' | 'oneHotArgmax'> {
  const along = (operator: string, x: Value, axis: number): Value => {
    if (x.shape[axis] === undefined) throw new RangeError(`${operator}: axis ${axis} of [${x.shape.join(',')}]`);
    return graph.emit(operator, [x], x.shape, { axis: { i: axis } });
  };
  // Over an inner axis the runtime transposes to and fro; written out it is several times faster there.
  const writtenOut = (x: Value, axis: number): { shifted: Value; powers: Value; mass: Value } => {
    const most = graph.emit('ReduceMax', [x, graph.integers([axis])], keptShape(x, axis), { keepdims: { i: 1 } });
    const shifted = graph.emit('Sub', [x, most], x.shape);
    const powers = graph.emit('Exp', [shifted], x.shape);
    return { shifted, powers, mass: reduced(graph, 'ReduceSum', powers, [axis]) };
  };
  const isInner = (x: Value, axis: number): boolean => axis < x.shape.length - 1 && x.shape[axis] !== undefined;
  const softmaxNode = (x: Value, axis: number): Value => {
    if (!isInner(x, axis)) return along('Softmax', x, axis);
    const { powers, mass } = writtenOut(x, axis);
    return graph.emit('Div', [powers, mass], x.shape);
  };
  const logSoftmaxNode = (x: Value, axis: number): Value => {
    if (forms.logSoftmax && !isInner(x, axis)) return along('LogSoftmax', x, axis);
    const { shifted, mass } = writtenOut(x, axis);
    return graph.emit('Sub', [shifted, graph.emit('Log', [mass], mass.shape)], x.shape);
  };
  return {
    softmax: (x, axis) => {
      const input = asValue(x);
      const y = softmaxNode(input, axis);
      return tape.record([input], y, [
        (dy) => {
          const weighted = reduced(graph, 'ReduceSum', graph.emit('Mul', [dy, y], y.shape), [axis]);
          return graph.emit('Mul', [y, graph.emit('Sub', [dy, weighted], y.shape)], y.shape);
        },
      ]);
    },
    logSoftmax: (x, axis) => {
      const input = asValue(x);
      const y = logSoftmaxNode(input, axis);
      return tape.record([input], y, [
        (dy) => {
          const mass = reduced(graph, 'ReduceSum', dy, [axis]);
          const spread = graph.emit('Mul', [graph.emit('Exp', [y], y.shape), mass], y.shape);
          return graph.emit('Sub', [dy, spread], y.shape);
        },
      ]);
    },
    oneHotArgmax: (x, axis) => {
      const input = asValue(x);
      const depth = input.shape[axis];
      if (depth === undefined) throw new RangeError(`oneHotArgmax: axis ${axis} of [${input.shape.join(',')}]`);
      if (forms.argmax === 'equal') return firstOfLargest(graph, input, axis);
      const kept = keptShape(input, axis);
      const best = graph.emit('ArgMax', [input], kept, { axis: { i: axis }, keepdims: { i: 1 } }, { type: 'int64' });
      const indices = graph.integers(Array.from({ length: depth }, (_, index) => index));
      const column = reshaped(graph, indices, [depth, ...input.shape.slice(axis + 1).map(() => 1)]);
      const hits = graph.emit('Equal', [best, column], input.shape, {}, { type: 'bool' });
      return graph.emit('Cast', [hits], input.shape, { to: { i: 1 } });
    },
  };
}

/** 1 at the first of the largest entries: the largest ones marked by how early they stand, then the earliest of them. */
function firstOfLargest(graph: Graph, x: Value, axis: number): Value {
  const depth = x.shape[axis]!;
  const largest = (value: Value): Value =>
    graph.emit('ReduceMax', [value, graph.integers([axis])], keptShape(x, axis), { keepdims: { i: 1 } });
  const equal = (a: Value, b: Value): Value => {
    const hits = graph.emit('Equal', [a, b], x.shape, {}, { type: 'bool' });
    return graph.emit('Cast', [hits], x.shape, { to: { i: 1 } });
  };
  const ranks = Array.from({ length: depth }, (_, index) => depth - index);
  const column = graph.constant(ranks, [depth, ...x.shape.slice(axis + 1).map(() => 1)]);
  const marked = graph.emit('Mul', [equal(x, largest(x)), column], x.shape);
  return equal(marked, largest(marked));
}
