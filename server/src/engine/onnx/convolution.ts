import type { Ops, Shape } from '../ops.ts';
import { reduced, reshaped, type Writing } from './gradients.ts';
import { asValue, sizeOf, type Value } from './graph.ts';
import { product } from './products.ts';
import { concatenated, padded, sliced, transposed } from './shaping.ts';

/** Convolution with an odd kernel, zeros outside the image. */
export function convolutionOps(writing: Writing): Pick<Ops, 'conv'> {
  const { tape } = writing;
  const conv: Ops['conv'] = (image, kernel, offset) => {
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
  return { conv };
}

function biasGradient({ graph }: Writing, dy: Value): Value {
  const axes = dy.shape.map((_size, axis) => axis).filter((axis) => axis !== 1);
  return reshaped(graph, reduced(graph, 'ReduceSum', dy, axes), [dy.shape[1]!]);
}

/** @throws RangeError naming `operator` where image, kernel and bias do not belong together. */
export function requireFit(
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

function convNode(writing: Writing, inputs: readonly Value[], shape: Shape): Value {
  const { graph, training, forms } = writing;
  const [x, ...rest] = inputs as [Value, ...Value[]];
  const window = rest[0]!.shape.slice(2);
  const halo = window.map((size) => (size - 1) / 2);
  const attributes = { kernel_shape: { ints: window }, pads: { ints: [...halo, ...halo] } };
  const [batch, outputs, ...space] = shape as [number, number, ...number[]];
  const positions = sizeOf(space);
  // The CPU provider uses one thread where an image has fewer positions than the result channels.
  if (!training || !forms.joinsImages || batch === 1 || outputs <= positions || outputs > batch * positions) {
    return graph.emit('Conv', inputs, shape, attributes);
  }
  // So the images become one, below each other, with as many rows of zeros between them as a kernel reaches.
  const swap = [1, 0, ...space.map((_, axis) => axis + 2)];
  const zeros = shape.map(() => 0);
  const parted = padded(graph, transposed(graph, x, swap), zeros, zeros.with(2, halo[0]!));
  const [rows, ...others] = parted.shape.slice(2) as [number, ...number[]];
  const column = reshaped(graph, parted, [1, x.shape[1]!, batch * rows, ...others]);
  const answer = graph.emit('Conv', [column, ...rest], [1, outputs, batch * rows, ...others], attributes);
  const cut = sliced(graph, reshaped(graph, answer, [outputs, batch, rows, ...others]), 2, 0, space[0]!);
  return transposed(graph, cut, swap);
}

/** [O,I,k...] to [I,O,k...], every k axis reversed: the kernel that carries a gradient back to the input. */
function flipped({ graph }: Writing, weight: Value): Value {
  const [outputs, inputs, ...window] = weight.shape as [number, number, ...number[]];
  const taps = sizeOf(window);
  const swapped = [inputs, outputs, ...window];
  if (taps === 1)
    return reshaped(graph, transposed(graph, reshaped(graph, weight, [outputs, inputs]), [1, 0]), swapped);
  // A product with a reversal matrix: several times faster than Slice with step -1 or Gather on the last axis.
  const exchanged = transposed(graph, reshaped(graph, weight, [outputs, inputs, taps]), [1, 0, 2]);
  const reversal = new Float32Array(taps * taps);
  for (let tap = 0; tap < taps; tap += 1) reversal[tap * taps + taps - 1 - tap] = 1;
  const rows = reshaped(graph, exchanged, [inputs * outputs, taps]);
  const reversed = graph.emit('MatMul', [rows, graph.constant(reversal, [taps, taps])], rows.shape);
  return reshaped(graph, reversed, swapped);
}

/**
 * dW[o,i,k...] = sum over n and positions r of dy[n,o,r+p-k] x[n,i,r], zero outside the image.
 *
 * Copies of dy carry the shifts along every axis but the last, copies of x those along the last one. One product for
 * each last-axis offset then gives all the others at once, with matrices k times larger than one product an offset
 * would have. With a convolution of x with dy as its kernel instead, a whole step took twice the time, on the CPU and on
 * emulated WebGPU.
 */
function weightGradient(writing: Writing, x: Value, dy: Value, shape: Shape): Value {
  const { graph } = writing;
  const [outputs, inputs, ...window] = shape as [number, number, ...number[]];
  // Copies of the thinner side take less memory: at the 3D heads (16 to 64 channels, 96 x 96 x 96, batch 2) 1 GiB, not 4.
  if (4 * inputs <= outputs) return flipped(writing, weightGradient(writing, dy, x, [inputs, outputs, ...window]));
  const taps = sizeOf(window);
  const length = sizeOf(x.shape.slice(2));
  if (x.shape[0]! > 1 && taps * outputs * inputs > (outputs + inputs) * length) {
    // Few positions, many channels: the batch becomes a further axis of space, so that one product sums over it.
    const fold = (value: Value): Value => {
      const swap = [1, 0, ...value.shape.slice(2).map((_, axis) => axis + 2)];
      const swapped = transposed(graph, value, swap);
      return reshaped(graph, swapped, [1, ...swapped.shape]);
    };
    return reshaped(graph, stackedProducts(writing, fold(x), fold(dy), [1, ...window]), shape);
  }
  return reshaped(graph, stackedProducts(writing, x, dy, window), shape);
}

/** [O,I,taps] from x [N,I,space...] and dy [N,O,space...]. */
function stackedProducts(writing: Writing, x: Value, dy: Value, window: readonly number[]): Value {
  const { graph } = writing;
  const [batch, inputs, ...space] = x.shape as [number, number, ...number[]];
  const outputs = dy.shape[1]!;
  const length = sizeOf(space);
  const last = window.at(-1)!;
  const others = sizeOf(window) / last;
  const rows = reshaped(graph, shiftedRows(writing, dy, window.slice(0, -1)), [batch, outputs * others, length]);
  const halo = (last - 1) / 2;
  const zeros = x.shape.map(() => 0);
  const products = Array.from({ length: last }, (_, tap) => {
    const shifted = padded(graph, x, zeros.with(-1, halo - tap), zeros.with(-1, tap - halo));
    const sums = product(writing, rows, reshaped(graph, shifted, [batch, inputs, length]), { b: true });
    return reshaped(graph, sums, [batch, outputs * others, 1, inputs]);
  });
  const joined = reduced(graph, 'ReduceSum', concatenated(graph, products, 2), [0]);
  return transposed(graph, reshaped(graph, joined, [outputs, others * last, inputs]), [0, 2, 1]);
}

/** [N,C,lead...,W] to [N,C,offsets,lead...,W]: a copy for each offset of a window over the leading axes, whole rows. */
function shiftedRows({ graph }: Writing, x: Value, window: readonly number[]): Value {
  if (sizeOf(window) === 1) return x;
  const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
  const lead = space.slice(0, -1);
  const width = space.at(-1)!;
  const halo = [0, 0, ...window.map((size) => (size - 1) / 2), 0];
  const enlarged = padded(graph, x, halo, halo);
  const extents = enlarged.shape.slice(2, -1);
  const indices = positionsOf(window).flatMap((taps) =>
    positionsOf(lead).map((at) =>
      at.reduce((row, position, axis) => row * extents[axis]! + position + window[axis]! - 1 - taps[axis]!, 0),
    ),
  );
  const offsets = sizeOf(window);
  const order = reshaped(graph, graph.integers(indices), [offsets, sizeOf(lead)]);
  const byRow = reshaped(graph, enlarged, [batch, channels, sizeOf(extents), width]);
  return graph.emit('Gather', [byRow, order], [batch, channels, offsets, sizeOf(lead), width], { axis: { i: 2 } });
}

/** Every position in a box of these sizes, in row-major order. */
function positionsOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, position) => [...head, position])),
    [[]],
  );
}
