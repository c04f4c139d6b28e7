import type { Random } from '../engine/random.ts';
import type { LabelledSlice } from '../uncol/feed.ts';

const largestShiftPx = 6;

/**
 * A slice as another day would have shown it: mirrored left to right half of the time, shifted by a few pixels, with
 * another gamma, gain and a little noise. Images [H,W] float32 in 0..1 stay in 0..1; label and known move along, and
 * pixels that come in from outside are not known.
 */
export function augment(slice: LabelledSlice, width: number, random: Random): LabelledSlice {
  const height = slice.image.length / width;
  const mirrored = random.next() < 0.5;
  const down = random.int(2 * largestShiftPx + 1) - largestShiftPx;
  const right = random.int(2 * largestShiftPx + 1) - largestShiftPx;
  const gamma = Math.exp(random.normal(0.2));
  const gain = Math.exp(random.normal(0.08));
  const noise = Math.abs(random.normal(0.015));
  const image = new Float32Array(slice.image.length);
  const label = new Uint8Array(slice.label.length);
  const known = new Uint8Array(slice.known.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const fromRow = row - down;
      const moved = column - right;
      const fromColumn = mirrored ? width - 1 - moved : moved;
      const inside = fromRow >= 0 && fromRow < height && fromColumn >= 0 && fromColumn < width;
      const to = row * width + column;
      const from = fromRow * width + fromColumn;
      const value = inside ? (slice.image[from] ?? 0) : 0;
      const varied = gain * value ** gamma + (value > 0 ? noise * random.normal() : 0);
      image[to] = Math.min(1, Math.max(0, varied));
      label[to] = inside ? (slice.label[from] ?? 0) : 0;
      known[to] = inside ? (slice.known[from] ?? 0) : 0;
    }
  }
  return { image, label, known };
}
