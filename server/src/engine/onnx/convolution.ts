import type { Ops, Shape } from '../ops.ts';
import { reshaped, type Writing } from './gradients.ts';
import { asValue, sizeOf, type Value } from './graph.ts';
import { pointwiseOps } from './pointwise.ts';
import { product, productOps } from './products.ts';
import { concatenated, padded, reduced, shapingOps, transposed } from './shaping.ts';

/** Below this many positions an image, weight gradients sum over the batch inside one product (few, wide channels). */
const smallGrid = 300;

/** Convolutions, strided and transposed ones. */
export function convolutionOps(writing: Writing): Pick<Ops, 'conv' | 'convDown' | 'convUp'> {
  return { conv: convolve(writing), convDown: convolveDown(writing), convUp: convolveUp(writing) };
}

function convolve(writing: Writing): Ops['conv'] {
  const { graph, tape } = writing;
  return (image, kernel, offset) => {
    const [x, weight] = [asValue(image), asValue(kernel)];
    const bias = offset === undefined ? undefined : asValue(offset);
    const window = weight.shape.slice(2);
    requireFit('conv', x.shape, weight.shape, weight.shape[1], bias, weight.shape[0]);
    if (window.some((size) => size % 2 === 0)) throw new RangeError(`conv: kernel [${window.join(',')}] is not odd`);
    const inputs = bias === undefined ? [x, weight] : [x, weight, bias];
    const output = convNode(writing, inputs, [x.shape[0]!, weight.shape[0]!, ...x.shape.slice(2)]);
    return tape.record(inputs, output, [
      (dy) => convNode(writing, [dy, flipped(writing, weight)], x.shape),
      (dy) => weightGradient(writing, x, dy, weight.shape),
      (dy) => biasGradient(writing, dy),
    ]);
  };

  function biasGradient(_: Writing, dy: Value): Value {
    const axes = dy.shape.map((_size, axis) => axis).filter((axis) => axis !== 1);
    return reshaped(graph, reduced(graph, 'ReduceSum', dy, axes), [dy.shape[1]!]);
  }
}

function requireFit(
  operator: string,
  x: Shape,
  weight: Shape,
  inputChannels: number | undefined,
  bias: Value | undefined,
  outputChannels: number | undefined,
): void {
  const fits = x.length === weight.length && x.length >= 3 && x[1] === inputChannels;
  if (!fits || (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== outputChannels))) {
    const tail = bias === undefined ? '' : ` and bias [${bias.shape.join(',')}]`;
    throw new RangeError(`${operator}: x [${x.join(',')}] and weight [${weight.join(',')}]${tail} do not fit`);
  }
}

function convNode({ graph }: Writing, inputs: readonly Value[], shape: Shape): Value {
  const window = inputs[1]!.shape.slice(2);
  const halo = window.map((size) => (size - 1) / 2);
  return graph.emit('Conv', inputs, shape, { kernel_shape: { ints: window }, pads: { ints: [...halo, ...halo] } });
}

/** [O,I,k...] to [I,O,k...], every k axis reversed: the kernel that carries a gradient back to the input. */
function flipped({ graph }: Writing, weight: Value): Value {
  const [outputs, inputs, ...window] = weight.shape as [number, number, ...number[]];
  const taps = sizeOf(window);
  const swapped = [inputs, outputs, ...window];
  if (taps === 1)
    return reshaped(graph, transposed(graph, reshaped(graph, weight, [outputs, inputs]), [1, 0]), swapped);
  // Taps first, so that the reversal copies whole matrices.
  const byTap = transposed(graph, reshaped(graph, weight, [outputs, inputs, taps]), [2, 1, 0]);
  const order = graph.integers(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const reversed = graph.emit('Gather', [byTap, order], byTap.shape, { axis: { i: 0 } });
  return reshaped(graph, transposed(graph, reversed, [1, 2, 0]), swapped);
}

/**
 * dW[o,i,k...] = sum over n and positions of dy[n,o,y] x[n,i,y+k-p].
 *
 * Stacked form: the shift along the last axis is given to copies of dy, the other shifts to copies of x; one product
 * of the two stacks then holds every kernel offset exactly once, with k times larger matrices than one product an
 * offset.
 */
function weightGradient(writing: Writing, x: Value, dy: Value, shape: Shape): Value {
  const { graph, forms } = writing;
  if (forms.weightGradient === 'conv') return weightGradientByConv(writing, x, dy, shape);
  const [outputs, inputs, ...window] = shape as [number, number, ...number[]];
  const last = window.at(-1)!;
  const others = window.slice(0, -1);
  const shiftedDy = Array.from({ length: last }, (_, tap) => {
    const zeros = dy.shape.map(() => 0);
    return padded(graph, dy, zeros.with(-1, tap), zeros.with(-1, last - 1 - tap));
  });
  const shiftedX = offsetsOf(others).map((taps) => {
    const before = [0, 0, ...taps.map((tap, axis) => (others[axis]! - 1) / 2 - tap), (last - 1) / 2];
    const after = [0, 0, ...taps.map((tap, axis) => tap - (others[axis]! - 1) / 2), (last - 1) / 2];
    return padded(graph, x, before, after);
  });
  const rows = stacked(writing, shiftedDy);
  const columns = stacked(writing, shiftedX);
  const sums = crossProducts(writing, rows, columns);
  const split = reshaped(graph, sums, [last, outputs, ...others, inputs]);
  const rank = split.shape.length;
  const permutation = [1, rank - 1, ...others.map((_, axis) => axis + 2), 0];
  return transposed(graph, split, permutation);
}

/** Every combination of offsets of a window, in row-major order. */
function offsetsOf(window: readonly number[]): number[][] {
  return window.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, tap) => [...head, tap])),
    [[]],
  );
}

function stacked({ graph }: Writing, copies: readonly Value[]): Value {
  const joined = concatenated(graph, copies, 1);
  const [batch, channels, ...space] = joined.shape as [number, number, ...number[]];
  return reshaped(graph, joined, [batch, channels, sizeOf(space)]);
}

/** [N,R,L] and [N,C,L] to [R,C], summed over N and L. */
function crossProducts(writing: Writing, rows: Value, columns: Value): Value {
  const { graph } = writing;
  const [batch, , length] = rows.shape as [number, number, number];
  if (batch > 1 && length <= smallGrid) {
    const fold = (x: Value): Value => reshaped(graph, transposed(graph, x, [1, 0, 2]), [x.shape[1]!, batch * length]);
    return product(writing, fold(rows), fold(columns), { b: true });
  }
  const each = product(writing, rows, columns, { b: true });
  return reshaped(graph, reduced(graph, 'ReduceSum', each, [0]), each.shape.slice(1));
}

/** dW as a convolution of x (channels as batch) with dy as a kernel of the size of the image. */
function weightGradientByConv({ graph }: Writing, x: Value, dy: Value, shape: Shape): Value {
  const window = shape.slice(2);
  const swap = [1, 0, ...window.map((_, axis) => axis + 2)];
  const halo = window.map((size) => (size - 1) / 2);
  const attributes = { kernel_shape: { ints: dy.shape.slice(2) }, pads: { ints: [...halo, ...halo] } };
  const swapped = graph.emit(
    'Conv',
    [transposed(graph, x, swap), transposed(graph, dy, swap)],
    [shape[1]!, shape[0]!, ...window],
    attributes,
  );
  return transposed(graph, swapped, swap);
}

function convolveDown(writing: Writing): Ops['convDown'] {
  const { graph, training } = writing;
  const { reshape, transpose } = shapingOps(writing);
  return (x, weight, bias) => {
    const [outputs, inputs, ...window] = weight.shape as [number, number, ...number[]];
    requireFit('convDown', x.shape, weight.shape, inputs, bias && asValue(bias), outputs);
    const batch = x.shape[0]!;
    const space = x.shape.slice(2);
    if (space.some((size, axis) => size % window[axis]! !== 0)) {
      throw new RangeError(`convDown: [${space.join(',')}] is no multiple of kernel [${window.join(',')}]`);
    }
    const grid = space.map((size, axis) => size / window[axis]!);
    if (!training) {
      const operands = [x, weight, ...(bias === undefined ? [] : [bias])].map(asValue);
      const attributes = { kernel_shape: { ints: window }, strides: { ints: window } };
      return graph.emit('Conv', operands, [batch, outputs, ...grid], attributes);
    }
    // [N,I,h,k,w,k] to [N,h,w,I,k,k], then one product with the kernel as a matrix.
    const cells = reshape(x, [batch, inputs, ...grid.flatMap((size, axis) => [size, window[axis]!])]);
    const gridAxes = grid.map((_, axis) => 2 + 2 * axis);
    const windowAxes = grid.map((_, axis) => 3 + 2 * axis);
    const patches = transpose(cells, [0, ...gridAxes, 1, ...windowAxes]);
    const matrix = transpose(reshape(weight, [outputs, inputs * sizeOf(window)]), [1, 0]);
    const rows = reshape(patches, [batch * sizeOf(grid), inputs * sizeOf(window)]);
    const products = productOps(writing).matmul(rows, matrix);
    const sums = bias === undefined ? products : pointwiseOps(writing).add(products, bias);
    const channelsLast = reshape(sums, [batch, ...grid, outputs]);
    return transpose(channelsLast, [0, grid.length + 1, ...grid.map((_, axis) => axis + 1)]);
  };
}

function convolveUp(writing: Writing): Ops['convUp'] {
  const { graph, training } = writing;
  const { reshape, transpose } = shapingOps(writing);
  return (x, weight, bias) => {
    const [inputs, outputs, ...window] = weight.shape as [number, number, ...number[]];
    requireFit('convUp', x.shape, weight.shape, inputs, bias && asValue(bias), outputs);
    if (window.some((size) => size !== 2)) throw new RangeError(`convUp: kernel [${window.join(',')}] is not 2`);
    const [batch, , ...space] = x.shape as [number, number, ...number[]];
    const doubled = [batch, outputs, ...space.map((size) => 2 * size)];
    if (!training) {
      const operands = [x, weight, ...(bias === undefined ? [] : [bias])].map(asValue);
      const attributes = { kernel_shape: { ints: window }, strides: { ints: window } };
      return graph.emit('ConvTranspose', operands, doubled, attributes);
    }
    const matrix = transpose(reshape(weight, [inputs, outputs * sizeOf(window)]), [1, 0]);
    const products = productOps(writing).matmul(matrix, reshape(x, [batch, inputs, sizeOf(space)]));
    // [N,O,2,2,h,w] to [N,O,h,2,w,2].
    const cells = reshape(products, [batch, outputs, ...window, ...space]);
    const interleaved = space.flatMap((_, axis) => [2 + window.length + axis, 2 + axis]);
    const image = reshape(transpose(cells, [0, 1, ...interleaved]), doubled);
    if (bias === undefined) return image;
    return pointwiseOps(writing).add(image, reshape(bias, [outputs, ...space.map(() => 1)]));
  };
}
