import { interpolation } from '../interpolation.ts';
import type { Ops, Shape } from '../ops.ts';
import type { Writing } from './gradients.ts';
import { reduced } from './gradients.ts';
import { asValue, type Value } from './graph.ts';
import { productOps } from './products.ts';
import { shapingOps } from './shaping.ts';

/** Pooling and enlarging. */
export function resamplingOps(writing: Writing): Pick<Ops, 'maxPool2' | 'avgPool' | 'upsample2'> {
  return { maxPool2: maxPool(writing), avgPool: averagePool(writing), upsample2: upsample(writing) };
}

function maxPool(writing: Writing): Ops['maxPool2'] {
  const { graph, tape, forms } = writing;
  return (image) => {
    const x = asValue(image);
    const space = x.shape.slice(2);
    if (space.some((size) => size % 2 !== 0)) throw new RangeError(`maxPool2: [${space.join(',')}] has odd sizes`);
    const window = { ints: space.map(() => 2) };
    const attributes = { kernel_shape: window, strides: window };
    const shape = [...x.shape.slice(0, 2), ...space.map((size) => size / 2)];
    if (!tape.needs(x) || forms.poolGradient === 'equal') {
      const y = graph.emit('MaxPool', [x], shape, attributes);
      return tape.record([x], y, [(dy) => sharedAmongTies(writing, x, y, dy)]);
    }
    const [y, indices] = graph.emitMany('MaxPool', [x], [{ shape }, { shape, type: 'int64' }], attributes);
    return tape.record([x], y!, [
      (dy) => graph.emit('MaxUnpool', [dy, indices!, graph.integers(x.shape)], x.shape, attributes),
    ]);
  };
}

/** The gradient of a pooled value, divided among the inputs equal to it. */
function sharedAmongTies({ graph }: Writing, x: Value, y: Value, dy: Value): Value {
  const space = x.shape.slice(2);
  const cells = [...x.shape.slice(0, 2), ...space.flatMap((size) => [size / 2, 2])];
  const pooled = [...x.shape.slice(0, 2), ...space.flatMap((size) => [size / 2, 1])];
  const view = (value: Value, shape: Shape): Value => graph.emit('Reshape', [value, graph.integers(shape)], shape);
  const equal = graph.emit('Equal', [view(x, cells), view(y, pooled)], cells, {}, { type: 'bool' });
  const hits = graph.emit('Cast', [equal], cells, { to: { i: 1 } });
  const count = reduced(
    graph,
    'ReduceSum',
    hits,
    space.map((_, axis) => 3 + 2 * axis),
  );
  const share = graph.emit('Div', [view(dy, pooled), count], pooled);
  return view(graph.emit('Mul', [hits, share], cells), x.shape);
}

function averagePool(writing: Writing): Ops['avgPool'] {
  const { reshape } = shapingOps(writing);
  const { mean } = shapingOps(writing);
  return (x, factor) => {
    const space = x.shape.slice(2);
    if (space.some((size) => size % factor !== 0)) {
      throw new RangeError(`avgPool: [${space.join(',')}] is no multiple of ${factor}`);
    }
    const cells = reshape(x, [...x.shape.slice(0, 2), ...space.flatMap((size) => [size / factor, factor])]);
    return mean(
      cells,
      space.map((_, axis) => 3 + 2 * axis),
    );
  };
}

function upsample(writing: Writing): Ops['upsample2'] {
  const { graph, training } = writing;
  const { matmul } = productOps(writing);
  return (x) => {
    const [batch, channels, height, width] = x.shape;
    if (x.shape.length !== 4) throw new RangeError(`upsample2: [${x.shape.join(',')}] is not [N,C,H,W]`);
    if (!training) {
      const empty = graph.constant([], [0]);
      const scales = graph.constant([1, 1, 2, 2], [4]);
      const attributes = { mode: { s: 'linear' }, coordinate_transformation_mode: { s: 'align_corners' } };
      const shape = [batch!, channels!, 2 * height!, 2 * width!];
      return graph.emit('Resize', [asValue(x), empty, scales], shape, attributes);
    }
    const across = matmul(x, graph.constant(interpolation(width!, false), [width!, 2 * width!]));
    return matmul(graph.constant(interpolation(height!, true), [2 * height!, height!]), across);
  };
}
