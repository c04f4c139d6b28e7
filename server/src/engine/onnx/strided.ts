import type { Ops, Shape, Tensor } from '../ops.ts';
import { requireFit } from './convolution.ts';
import type { Writing } from './gradients.ts';
import { asValue, sizeOf } from './graph.ts';
import { pointwiseOps } from './pointwise.ts';
import { productOps } from './products.ts';
import { shapingOps } from './shaping.ts';

/**
 * Convolutions whose stride is their kernel, and those that undo them: one matrix product each, as no two windows
 * overlap. Faster than the runtime's Conv and ConvTranspose: a forward pass of the 3D student by 6 to 9 %.
 */
export function stridedOps(writing: Writing): Pick<Ops, 'convDown' | 'convUp'> {
  const { add } = pointwiseOps(writing);
  const { matmul } = productOps(writing);
  const { reshape, transpose } = shapingOps(writing);
  const { gathered, scattered } = cellOps(writing);
  const shifted = (image: Tensor, bias: Tensor | undefined): Tensor =>
    bias === undefined ? image : add(image, reshape(bias, [image.shape[1]!, ...image.shape.slice(2).map(() => 1)]));
  return {
    convDown: (x, weight, bias) => {
      const [outputs, inputs, ...window] = weight.shape as [number, number, ...number[]];
      requireFit('convDown', x.shape, weight.shape, inputs, bias && asValue(bias), outputs);
      const space = x.shape.slice(2);
      if (space.some((size, axis) => size % window[axis]! !== 0)) {
        throw new RangeError(`convDown: [${space.join(',')}] is no multiple of kernel [${window.join(',')}]`);
      }
      const grid = space.map((size, axis) => size / window[axis]!);
      const sums = matmul(reshape(weight, [outputs, inputs * sizeOf(window)]), gathered(x, window));
      return shifted(reshape(sums, [x.shape[0]!, outputs, ...grid]), bias);
    },
    convUp: (x, weight, bias) => {
      const [inputs, outputs, ...window] = weight.shape as [number, number, ...number[]];
      requireFit('convUp', x.shape, weight.shape, inputs, bias && asValue(bias), outputs);
      if (window.some((size) => size !== 2)) throw new RangeError(`convUp: kernel [${window.join(',')}] is not 2`);
      const [batch, , ...space] = x.shape as [number, number, ...number[]];
      const matrix = transpose(reshape(weight, [inputs, outputs * sizeOf(window)]), [1, 0]);
      const products = matmul(matrix, reshape(x, [batch, inputs, sizeOf(space)]));
      return shifted(scattered(products, space, window), bias);
    },
  };
}

/** An image as columns, one for each window of a grid of them, and back. */
function cellOps(writing: Writing) {
  const { reshape, transpose } = shapingOps(writing);
  // Whole rows first, then what lies on the last axis: less than half the time of one Transpose that moves single voxels.
  const axesOf = (window: Shape) => {
    const lead = window.slice(0, -1);
    const [inGrid, inWindow] = [lead.map((_, axis) => 2 + 2 * axis), lead.map((_, axis) => 3 + 2 * axis)];
    return [0, 1, ...inWindow, ...inGrid, 2 + 2 * lead.length];
  };
  return {
    /** [N,C,h k,w k] to [N,C k k,h w]. */
    gathered: (x: Tensor, window: Shape): Tensor => {
      const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
      const taps = sizeOf(window);
      const last = window.at(-1)!;
      const parted = space.slice(0, -1).flatMap((size, axis) => [size / window[axis]!, window[axis]!]);
      const byRow = transpose(reshape(x, [batch, channels, ...parted, space.at(-1)!]), axesOf(window));
      const positions = sizeOf(space) / taps;
      const byTap = transpose(reshape(byRow, [(batch * channels * taps) / last, positions, last]), [0, 2, 1]);
      return reshape(byTap, [batch, channels * taps, positions]);
    },
    /** [N,C k k,h w] to [N,C,h k,w k]; `space`: [h,w]. */
    scattered: (columns: Tensor, space: Shape, window: Shape): Tensor => {
      const [batch, rows, positions] = columns.shape as [number, number, number];
      const last = window.at(-1)!;
      const channels = rows / sizeOf(window);
      const byTap = transpose(reshape(columns, [(batch * rows) / last, last, positions]), [0, 2, 1]);
      const lead = space.slice(0, -1);
      const parted = [batch, channels, ...window.slice(0, -1), ...lead, space.at(-1)! * last];
      const order = axesOf(window);
      const byRow = transpose(
        reshape(byTap, parted),
        order.map((_, axis) => order.indexOf(axis)),
      );
      return reshape(byRow, [batch, channels, ...space.map((size, axis) => size * window[axis]!)]);
    },
  };
}
