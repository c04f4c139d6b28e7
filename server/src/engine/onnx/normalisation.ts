import type { Ops } from '../ops.ts';
import { reduced, reshaped, type Writing } from './gradients.ts';
import { asValue, sizeOf, type Value } from './graph.ts';
import { product } from './products.ts';

const instanceEpsilon = 1e-5;

/** Norms with closed-form gradients from the normalised value and the inverse standard deviation. */
export function normalisationOps(writing: Writing): Pick<Ops, 'instanceNorm' | 'layerNorm'> {
  return { instanceNorm: instanceNorm(writing), layerNorm: layerNorm(writing) };
}

/** Rows [R,L] of mean 0 and variance 1, and the inverse standard deviations [R,1]. */
function standardised(writing: Writing, rows: Value, epsilon: number): { unit: Value; inverse: Value } {
  const { graph } = writing;
  const [count, length] = rows.shape as [number, number];
  const ones = graph.constant(new Float32Array(length).fill(1), [length]);
  const outputs = [{ shape: rows.shape }, { shape: [count, 1] }, { shape: [count, 1] }];
  const attributes = { axis: { i: -1 }, epsilon: { f: epsilon } };
  const [unit, , inverse] = graph.emitMany(
    'LayerNormalization',
    [centred(writing, rows, [1]), ones],
    outputs,
    attributes,
  );
  return { unit: unit!, inverse: inverse! };
}

/** x less its mean over `axes` where the device's norms need it; what follows takes out the rest, so nothing else changes. */
function centred({ graph, forms }: Writing, x: Value, axes: readonly number[]): Value {
  if (!forms.centresNorms) return x;
  return graph.emit('Sub', [x, reduced(graph, 'ReduceMean', x, axes)], x.shape);
}

function instanceNorm(writing: Writing): Ops['instanceNorm'] {
  const { graph, tape, training } = writing;
  const times = (a: Value, b: Value): Value => graph.emit('Mul', [a, b], a.shape);
  return (image, scale, bias) => {
    const x = asValue(image);
    const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
    if ((scale === undefined) !== (bias === undefined)) throw new TypeError('instanceNorm: scale and bias go together');
    for (const affine of [scale, bias]) {
      if (affine !== undefined && (affine.shape.length !== 1 || affine.shape[0] !== channels)) {
        throw new RangeError(`instanceNorm: x [${x.shape.join(',')}] with affine [${affine.shape.join(',')}]`);
      }
    }
    const gain = scale === undefined ? graph.constant(new Float32Array(channels).fill(1), [channels]) : asValue(scale);
    const shift = bias === undefined ? graph.constant(new Float32Array(channels), [channels]) : asValue(bias);
    if (!training) {
      const input = centred(
        writing,
        x,
        space.map((_, axis) => axis + 2),
      );
      return graph.emit('InstanceNormalization', [input, gain, shift], x.shape, { epsilon: { f: instanceEpsilon } });
    }
    const length = sizeOf(space);
    const cube = [batch, channels, length];
    const { unit, inverse } = standardised(writing, reshaped(graph, x, [batch * channels, length]), instanceEpsilon);
    const normalised = reshaped(graph, unit, cube);
    const column = (vector: Value): Value => reshaped(graph, vector, [channels, 1]);
    const affine =
      scale === undefined ? normalised : graph.emit('Add', [times(normalised, column(gain)), column(shift)], cube);
    const output = reshaped(graph, affine, x.shape);
    const flat = (dy: Value): Value => reshaped(graph, dy, cube);
    const dot = (dy: Value): Value => rowProducts(writing, flat(dy), normalised);
    const total = (dy: Value): Value => reduced(graph, 'ReduceSum', flat(dy), [2]);
    return tape.record([x, gain, shift], output, [
      (dy) => {
        // dx = gain/std (dy - mean(dy) - unit mean(dy unit)), the means over space.
        const share = graph.scalar(1 / length);
        const slope = times(reshaped(graph, inverse, [batch, channels, 1]), column(gain));
        const pull = times(normalised, times(dot(dy), share));
        const centred = graph.emit('Sub', [flat(dy), times(total(dy), share)], cube);
        return reshaped(graph, times(graph.emit('Sub', [centred, pull], cube), slope), x.shape);
      },
      (dy) => reshaped(graph, reduced(graph, 'ReduceSum', dot(dy), [0]), [channels]),
      (dy) => reshaped(graph, reduced(graph, 'ReduceSum', total(dy), [0]), [channels]),
    ]);
  };
}

/** Sum over the last axis of a b, without writing a b: [N,C,L] twice to [N,C,1]. */
function rowProducts(writing: Writing, a: Value, b: Value): Value {
  const { graph } = writing;
  const [batch, channels, length] = a.shape as [number, number, number];
  const row = reshaped(graph, a, [batch, channels, 1, length]);
  const other = reshaped(graph, b, [batch, channels, 1, length]);
  return reshaped(graph, product(writing, row, other, { b: true }), [batch, channels, 1]);
}

function layerNorm(writing: Writing): Ops['layerNorm'] {
  const { graph, tape, training } = writing;
  const times = (a: Value, b: Value): Value => graph.emit('Mul', [a, b], a.shape);
  return (input, scale, bias, epsilon = 1e-5) => {
    const [x, gain, shift] = [asValue(input), asValue(scale), asValue(bias)];
    const width = x.shape.at(-1)!;
    if (sizeOf(gain.shape) !== width || sizeOf(shift.shape) !== width) {
      throw new RangeError(`layerNorm: x [${x.shape.join(',')}] with affine [${gain.shape.join(',')}]`);
    }
    if (!training) {
      const attributes = { axis: { i: -1 }, epsilon: { f: epsilon } };
      const rows = centred(writing, x, [x.shape.length - 1]);
      return graph.emit('LayerNormalization', [rows, gain, shift], x.shape, attributes);
    }
    const flat = [sizeOf(x.shape) / width, width];
    const { unit, inverse } = standardised(writing, reshaped(graph, x, flat), epsilon);
    const output = reshaped(graph, graph.emit('Add', [times(unit, gain), shift], flat), x.shape);
    const overRows = (y: Value): Value => reshaped(graph, reduced(graph, 'ReduceSum', y, [0]), [width]);
    return tape.record([x, gain, shift], output, [
      (dy) => {
        const inner = times(reshaped(graph, dy, flat), gain);
        const pull = times(unit, reduced(graph, 'ReduceMean', times(inner, unit), [1]));
        const centred = graph.emit('Sub', [inner, reduced(graph, 'ReduceMean', inner, [1])], flat);
        return reshaped(graph, times(graph.emit('Sub', [centred, pull], flat), inverse), x.shape);
      },
      (dy) => overRows(times(reshaped(graph, dy, flat), unit)),
      (dy) => overRows(reshaped(graph, dy, flat)),
    ]);
  };
}
