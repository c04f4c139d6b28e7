import type { Ops, Shape, Tensor } from '../../../server/src/engine/ops.ts';
import { normals } from './finite-differences.ts';

/** An array with its shape, row-major. */
export interface PlainArray {
  readonly shape: Shape;
  readonly values: readonly number[];
}

/** One operator on given operands, and what plain loops say it is. */
export interface ValueCase {
  readonly name: string;
  readonly operands: readonly PlainArray[];
  apply(ops: Ops, ...xs: Tensor[]): Tensor;
  readonly expected: PlainArray;
}

let seed = 500;

/** Normal deviates, other ones at each call. */
export function random(...shape: number[]): PlainArray {
  seed += 1;
  return { shape, values: [...normals(seed, sizeOf(shape))] };
}

const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Every position in a box of these sizes, in row-major order. */
export function positionsOf(sizes: Shape): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, position) => [...head, position])),
    [[]],
  );
}

/** The entry at a position, 0 outside. */
export function at({ shape, values }: PlainArray, position: readonly number[]): number {
  if (position.some((place, axis) => place < 0 || place >= shape[axis]!)) return 0;
  return values[position.reduce((row, place, axis) => row * shape[axis]! + place, 0)]!;
}

/** An array from a formula for each of its entries. */
export function filledBy(shape: Shape, entry: (position: number[]) => number): PlainArray {
  return { shape, values: positionsOf(shape).map(entry) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Sum over input channels and window of x w, window offset `offset` and stride `stride`, plus bias. */
function convolved(
  x: PlainArray,
  w: PlainArray,
  bias: PlainArray,
  stride: (axis: number) => number,
  offset: (axis: number) => number,
): PlainArray {
  const [outputs, inputs, ...window] = w.shape as [number, number, ...number[]];
  const [batch, , ...space] = x.shape as [number, number, ...number[]];
  const grid = space.map((size, axis) => size / stride(axis));
  return filledBy([batch, outputs, ...grid], ([n, o, ...place]) =>
    sum([
      at(bias, [o!]),
      ...positionsOf([inputs, ...window]).map(([i, ...tap]) => {
        const source = place.map((position, axis) => position * stride(axis) + tap[axis]! - offset(axis));
        return at(x, [n!, i!, ...source]) * at(w, [o!, i!, ...tap]);
      }),
    ]),
  );
}

/** Convolution as ops.ts defines it, by loops. */
export function plainConv(x: PlainArray, w: PlainArray, bias: PlainArray): PlainArray {
  return convolved(
    x,
    w,
    bias,
    () => 1,
    (axis) => (w.shape[axis + 2]! - 1) / 2,
  );
}

/** Convolution whose stride is its kernel. */
export function plainConvDown(x: PlainArray, w: PlainArray, bias: PlainArray): PlainArray {
  return convolved(
    x,
    w,
    bias,
    (axis) => w.shape[axis + 2]!,
    () => 0,
  );
}

/** Transposed convolution, kernel 2, stride 2. */
export function plainConvUp(x: PlainArray, w: PlainArray, bias: PlainArray): PlainArray {
  const [inputs, outputs] = w.shape as [number, number];
  const [batch, , ...space] = x.shape as [number, number, ...number[]];
  return filledBy([batch, outputs, ...space.map((size) => 2 * size)], ([n, o, ...place]) => {
    const [source, tap] = [place.map((position) => position >> 1), place.map((position) => position & 1)];
    const products = positionsOf([inputs]).map(([i]) => at(x, [n!, i!, ...source]) * at(w, [i!, o!, ...tap]));
    return at(bias, [o!]) + sum(products);
  });
}

/** One value from each window of `factor` along every axis of space. */
export function plainPool(x: PlainArray, factor: number, pool: (window: readonly number[]) => number): PlainArray {
  const [batch, channels, ...space] = x.shape as [number, number, ...number[]];
  return filledBy([batch, channels, ...space.map((size) => size / factor)], ([n, c, ...place]) =>
    pool(
      positionsOf(space.map(() => factor)).map((tap) =>
        at(x, [n!, c!, ...place.map((position, axis) => position * factor + tap[axis]!)]),
      ),
    ),
  );
}

/** Bilinear x2, corners on corners. */
export function plainUpsample(x: PlainArray): PlainArray {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const blend = (low: number, high: number, share: number): number => low + share * (high - low);
  return filledBy([batch, channels, 2 * height, 2 * width], ([n, c, row, column]) => {
    const [y, z] = [(row! * (height - 1)) / (2 * height - 1), (column! * (width - 1)) / (2 * width - 1)];
    const [top, left] = [Math.floor(y), Math.floor(z)];
    const next = (low: number, size: number): number => Math.min(low + 1, size - 1);
    const inRow = (line: number): number =>
      blend(at(x, [n!, c!, line, left]), at(x, [n!, c!, line, next(left, width)]), z - left);
    return blend(inRow(top), inRow(next(top, height)), y - top);
  });
}

/** Mean 0 and variance 1 over the last `axes` axes, then scale and bias by `affine` of the position. */
export function plainNorm(
  x: PlainArray,
  axes: number,
  epsilon: number,
  affine: (value: number, position: readonly number[]) => number,
): PlainArray {
  const inner = x.shape.slice(x.shape.length - axes);
  return filledBy(x.shape, (position) => {
    const lead = position.slice(0, x.shape.length - axes);
    const group = positionsOf(inner).map((place) => at(x, [...lead, ...place]));
    const mean = sum(group) / sizeOf(inner);
    const variance = sum(group.map((value) => (value - mean) ** 2)) / sizeOf(inner);
    return affine((at(x, position) - mean) / Math.sqrt(variance + epsilon), position);
  });
}

/** Gaussian error function by its Maclaurin series, for |x| up to 4. */
export function plainErf(x: number): number {
  let [term, total] = [x, x];
  for (let k = 1; k < 120; k += 1) {
    term *= (-x * x) / k;
    total += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
