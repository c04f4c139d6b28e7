import { Random } from '../../../server/src/engine/random.ts';
import type { LabelledSlice } from '../../../server/src/uncol/feed.ts';

export const size = 32;
const pixels = size * size;

/** A bright ellipse on a noisy, darker ground; `known` everywhere. */
export function blob(seed: number): LabelledSlice {
  const random = Random.for(seed, 'blob');
  const [row, column] = [random.uniform(10, 22), random.uniform(10, 22)];
  const [height, width] = [random.uniform(4, 8), random.uniform(4, 8)];
  const label = Uint8Array.from({ length: pixels }, (_, pixel) => {
    const y = (Math.floor(pixel / size) - row) / height;
    const x = ((pixel % size) - column) / width;
    return y * y + x * x <= 1 ? 1 : 0;
  });
  const image = Float32Array.from(label, (value) => 0.25 + 0.4 * value + random.normal(0.1));
  return { image, label, known: new Uint8Array(pixels).fill(1) };
}

export const blobs = (first: number, count: number) => Array.from({ length: count }, (_, index) => blob(first + index));

/** A slice without any contrast: nothing there, and the reader said so. */
export const constantSlice = (value: number): LabelledSlice => ({
  image: new Float32Array(pixels).fill(value),
  label: new Uint8Array(pixels),
  known: new Uint8Array(pixels).fill(1),
});

/** Dice of the foreground of probabilities [N,2,H,W] against labels. */
export function foregroundDice(probabilities: Float32Array, slices: readonly LabelledSlice[]): number {
  let [overlap, total] = [0, 0];
  for (const [index, { label }] of slices.entries())
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = 2 * index * pixels + pixel;
      const found = (probabilities[at + pixels] ?? 0) > (probabilities[at] ?? 0) ? 1 : 0;
      overlap += found * (label[pixel] ?? 0);
      total += found + (label[pixel] ?? 0);
    }
  return (2 * overlap) / Math.max(total, 1);
}
