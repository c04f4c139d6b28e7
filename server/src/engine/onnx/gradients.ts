import type { Shape } from '../ops.ts';
import type { Forms } from './forms.ts';
import { type Graph, sizeOf, Value } from './graph.ts';

/** One differentiable operation: for each input a way to its gradient, asked only where one is needed. */
interface Entry {
  readonly inputs: readonly Value[];
  readonly output: Value;
  readonly backward: readonly ((outputGradient: Value) => Value)[];
}

/** What was computed, in order, so that it can be walked backwards. */
export class Tape {
  readonly #entries: Entry[] = [];
  readonly #needed = new Set<Value>();

  /** Marks a value (a parameter) as one whose gradient is wanted. */
  want(value: Value): void {
    this.#needed.add(value);
  }

  needs(value: Value): boolean {
    return this.#needed.has(value);
  }

  /** Notes how the gradient of `output` reaches `inputs`; returns `output`. */
  record(inputs: readonly Value[], output: Value, backward: Entry['backward']): Value {
    if (!inputs.some((input) => this.#needed.has(input))) return output;
    this.#entries.push({ inputs, output, backward });
    this.#needed.add(output);
    return output;
  }

  /** Gradients of the scalar `loss` with respect to `targets`; zeros where the loss does not depend on one. */
  gradients(writing: Writing, loss: Value, targets: readonly Value[]): Value[] {
    const { graph } = writing;
    if (sizeOf(loss.shape) !== 1) throw new RangeError(`gradients: loss has shape [${loss.shape.join(',')}]`);
    const parts = new Map<Value, Value[]>([[loss, [graph.constant([1], loss.shape)]]]);
    for (const { inputs, output, backward } of this.#entries.toReversed()) {
      const arrived = parts.get(output);
      if (arrived === undefined) continue;
      const outputGradient = total(writing, arrived);
      parts.set(output, [outputGradient]);
      for (const [index, input] of inputs.entries()) {
        if (!this.#needed.has(input)) continue;
        const gradient = backward[index]!(outputGradient);
        const before = parts.get(input);
        if (before === undefined) parts.set(input, [gradient]);
        else before.push(gradient);
      }
    }
    return targets.map((target) => {
      const arrived = parts.get(target);
      if (arrived !== undefined) return total(writing, arrived);
      return graph.constant(new Float32Array(sizeOf(target.shape)), target.shape);
    });
  }
}

/** All that a family of operations needs to write itself down. */
export interface Writing {
  readonly graph: Graph;
  readonly tape: Tape;
  readonly forms: Forms;
  /** False for graphs that only run forward: fused operators are used, nothing is recorded. */
  readonly training: boolean;
}

/** A gradient that reached only the entries from `start` on along `axis`; the rest of its tensor is zero. */
interface Piece {
  readonly gradient: Value;
  readonly axis: number;
  readonly start: number;
}
const pieceOf = new WeakMap<Value, Piece>();

/** The gradient of a tensor of `shape` of which only a slice was used. */
export function placed(graph: Graph, gradient: Value, axis: number, start: number, shape: Shape): Value {
  const end = start + gradient.shape[axis]!;
  const before = shape.map((_, index) => (index === axis ? start : 0));
  const after = shape.map((size, index) => (index === axis ? size - end : 0));
  const whole = graph.emit('Pad', [gradient, graph.integers([...before, ...after])], shape);
  pieceOf.set(whole, { gradient, axis, start });
  return whole;
}

/** Pieces that fill a tensor side by side, joined instead of added; undefined where the parts are no such pieces. */
function joined(graph: Graph, parts: readonly Value[]): Value | undefined {
  const pieces = parts.flatMap((part) => pieceOf.get(part) ?? []).sort((a, b) => a.start - b.start);
  const { shape } = parts[0]!;
  const axis = pieces[0]?.axis;
  if (axis === undefined || pieces.length < parts.length) return undefined;
  let end = 0;
  for (const piece of pieces) {
    if (piece.axis !== axis || piece.start !== end) return undefined;
    end += piece.gradient.shape[axis]!;
  }
  if (end !== shape[axis]) return undefined;
  const inputs = pieces.map((piece) => piece.gradient);
  return graph.emit('Concat', inputs, shape, { axis: { i: axis } });
}

function total({ graph, forms }: Writing, parts: readonly Value[]): Value {
  const { shape } = parts[0]!;
  if (parts.length === 1) return parts[0]!;
  const whole = joined(graph, parts);
  if (whole !== undefined) return whole;
  if (forms.sums && parts.length > 2) return graph.emit('Sum', parts, shape);
  return parts.reduce((sum, part) => graph.emit('Add', [sum, part], shape));
}

/** A fresh handle on the same value, through which no gradient flows. */
export function withoutGradient(value: Value): Value {
  return new Value(value.name, value.shape, value.type);
}

/** Sums a gradient over the axes along which an operand of `shape` was repeated. */
export function unbroadcast(graph: Graph, gradient: Value, shape: Shape): Value {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => (axis < lead || shape[axis - lead] !== size ? [axis] : []));
  if (axes.length === 0) return gradient;
  return reshaped(graph, reduced(graph, 'ReduceSum', gradient, axes), shape);
}

/** The same elements under another shape. */
export function reshaped(graph: Graph, value: Value, shape: Shape): Value {
  if (value.shape.length === shape.length && value.shape.every((size, axis) => size === shape[axis])) return value;
  return graph.emit('Reshape', [value, graph.integers(shape)], shape, {}, { type: value.type });
}

/**
 * Sum or mean over `axes`, which stay as axes of size 1. Many numbers are added in parts, axis by axis from the innermost
 * and a long axis in two: one node of the runtime adds one after the other where axes lie apart and there are four
 * threads, and along a single axis always, which over 65,000 pixels leaves an error of 5e-4.
 */
export function reduced(graph: Graph, operator: 'ReduceSum' | 'ReduceMean', x: Value, axes: readonly number[]): Value {
  // The runtime would copy x.
  if (axes.every((axis) => x.shape[axis] === 1)) return x;
  const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const long = axes.filter((axis) => x.shape[axis] !== 1);
  if (long.length > 1 && long.reduce((product, axis) => product * x.shape[axis]!, 1) > 1000) {
    const innermost = Math.max(...long);
    const rest = long.filter((axis) => axis !== innermost);
    return reduced(graph, operator, reduced(graph, operator, x, [innermost]), rest);
  }
  const [axis = 0] = long;
  const part = long.length === 1 && x.shape[axis]! > 1000 ? partOf(x.shape[axis]!) : 1;
  if (part > 1) {
    const parts = reshaped(graph, x, x.shape.toSpliced(axis, 1, x.shape[axis]! / part, part));
    return reshaped(graph, reduced(graph, operator, parts, [axis, axis + 1]), shape);
  }
  return graph.emit(operator, [x, graph.integers(axes)], shape, { keepdims: { i: 1 } });
}

/** The largest divisor up to the root; 1 of a prime. */
function partOf(count: number): number {
  let part = Math.floor(Math.sqrt(count));
  while (count % part !== 0) part -= 1;
  return part;
}
