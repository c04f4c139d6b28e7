import type { Shape } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { product } from '../../../server/src/student/layers.ts';
import type { LabelledSlice } from '../../../server/src/uncol/feed.ts';

export const size = 32;
const pixels = size * size;

/** A bright ellipse or ellipsoid on a noisy, darker ground; `known` everywhere. Each side of the space is `size`. */
export function blob(seed: number, space: Shape = [size, size]): LabelledSlice {
  const random = Random.for(seed, 'blob');
  const centre = space.map(() => random.uniform(10, 22));
  const radius = space.map(() => random.uniform(4, 8));
  const label = Uint8Array.from({ length: product(space) }, (_, pixel) => {
    const places = space.map((_side, axis) => Math.floor(pixel / size ** (space.length - 1 - axis)) % size);
    const reach = places.map((place, axis) => ((place - centre[axis]!) / radius[axis]!) ** 2);
    return reach.reduce((sum, part) => sum + part) <= 1 ? 1 : 0;
  });
  const image = Float32Array.from(label, (value) => 0.25 + 0.4 * value + random.normal(0.1));
  return { image, label, known: new Uint8Array(label.length).fill(1) };
}

export const blobs = (first: number, count: number, space?: Shape) =>
  Array.from({ length: count }, (_, index) => blob(first + index, space));

/** A slice without any contrast: nothing there, and the reader said so. */
export const constantSlice = (value: number): LabelledSlice => ({
  image: new Float32Array(pixels).fill(value),
  label: new Uint8Array(pixels),
  known: new Uint8Array(pixels).fill(1),
});

/** Dice of the foreground of probabilities [N,2,space...] against labels. */
export function foregroundDice(probabilities: Float32Array, slices: readonly LabelledSlice[]): number {
  let [overlap, total] = [0, 0];
  for (const [index, { label }] of slices.entries()) {
    const pixels = label.length;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = 2 * index * pixels + pixel;
      const found = (probabilities[at + pixels] ?? 0) > (probabilities[at] ?? 0) ? 1 : 0;
      overlap += found * (label[pixel] ?? 0);
      total += found + (label[pixel] ?? 0);
    }
  }
  return (2 * overlap) / Math.max(total, 1);
}
