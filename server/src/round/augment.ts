import type { Shape } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';
import { patchSize } from '../student/prior-encoder.ts';
import type { SliceMaps } from '../uncol/distill.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { mapTokens, type PixelOrigin } from '../uncol/teachers/feature-maps.ts';
import { interpolate } from './turn.ts';

const largestShiftPx = 6;

/** A labelled slice with the teacher's maps as they are kept, [channels,16,16]. */
export interface TaughtSlice extends LabelledSlice {
  readonly kept?: SliceMaps;
}

/**
 * An image [space...] float32 in 0..1 with another contrast, a brightness that changes across it, and noise; nothing moves.
 * For a network that has learnt the image by heart it is one of another scanner.
 */
export function varyContrast(image: Float32Array, space: Shape, random: Random): Float32Array {
  const gamma = Math.exp(random.normal(0.35));
  let logGain = Float64Array.of(0);
  for (const size of space) {
    const slope = random.normal(0.25);
    const outer = logGain;
    logGain = Float64Array.from(
      { length: outer.length * size },
      (_, at) => outer[Math.floor(at / size)]! + slope * ((at % size) / size - 0.5),
    );
  }
  const noise = random.uniform(0.01, 0.05);
  return image.map((value, at) => vary(value, { gamma, gain: Math.exp(logGain[at]!), noise }, random));
}

/** How bright an image shows what it shows. */
interface Contrast {
  readonly gamma: number;
  readonly gain: number;
  /** Standard deviation. */
  readonly noise: number;
}

/** Another contrast, a little off. */
export function drawContrast(random: Random): Contrast {
  const gamma = Math.exp(random.normal(0.2));
  const gain = Math.exp(random.normal(0.08));
  return { gamma, gain, noise: Math.abs(random.normal(0.015)) };
}

/** A value in 0..1 with another contrast; what is outside the scan, 0, stays free of noise. */
export function vary(value: number, { gamma, gain, noise }: Contrast, random: Random): number {
  return Math.min(1, Math.max(0, gain * value ** gamma + (value > 0 ? noise * random.normal() : 0)));
}

/** How far a slice may be turned and scaled; 0 leaves its pixels where they are. */
export interface Warping {
  /** Standard deviation of the rotation, degrees. */
  readonly rotationDegrees: number;
  /** Standard deviation of the logarithm of the scale. */
  readonly scaleSd: number;
}

export const noWarping: Warping = { rotationDegrees: 0, scaleSd: 0 };

/**
 * A slice as another day would have shown it: mirrored left to right half of the time, shifted by a few pixels, turned
 * and scaled, with another gamma, gain and a little noise. Images [H,W] float32 in 0..1 stay in 0..1; label and known
 * move along (nearest), and pixels that come in from outside are not known.
 *
 * @param mirrors whether left and right may be exchanged.
 */
export function augment(
  slice: TaughtSlice,
  width: number,
  random: Random,
  warping: Warping = noWarping,
  mirrors = true,
): LabelledSlice {
  const height = slice.image.length / width;
  const mirrored = random.next() < 0.5 && mirrors;
  const down = random.int(2 * largestShiftPx + 1) - largestShiftPx;
  const right = random.int(2 * largestShiftPx + 1) - largestShiftPx;
  const contrast = drawContrast(random);
  const isWarped = warping.rotationDegrees > 0 || warping.scaleSd > 0;
  const angle = isWarped ? (random.normal(warping.rotationDegrees) * Math.PI) / 180 : 0;
  const shrink = isWarped ? Math.exp(-random.normal(warping.scaleSd)) : 1;
  const cos = Math.cos(angle) * shrink;
  const sin = Math.sin(angle) * shrink;
  const middle = (width - 1) / 2;
  const centre = (height - 1) / 2;
  const image = new Float32Array(slice.image.length);
  const label = new Uint8Array(slice.label.length);
  const known = new Uint8Array(slice.known.length);
  const origin = new Int32Array(slice.known.length).fill(-1);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const y = row - down - centre;
      const x = mirrored ? middle - (column - right) : column - right - middle;
      const fromRow = centre + cos * y - sin * x;
      const fromColumn = middle + sin * y + cos * x;
      const nearRow = Math.round(fromRow);
      const nearColumn = Math.round(fromColumn);
      if (nearRow < 0 || nearRow >= height || nearColumn < 0 || nearColumn >= width) continue;
      const to = row * width + column;
      const from = nearRow * width + nearColumn;
      const value = isWarped ? interpolate(slice.image, width, height, fromRow, fromColumn) : (slice.image[from] ?? 0);
      image[to] = vary(value, contrast, random);
      label[to] = slice.label[from] ?? 0;
      known[to] = slice.known[from] ?? 0;
      origin[to] = from;
    }
  }
  return { image, label, known, ...tokenMaps(slice, { space: [height, width], from: origin }) };
}

/** The kept maps of a slice on the student's tokens, after its pixels moved. */
export function tokenMaps({ kept }: TaughtSlice, origin: PixelOrigin): { readonly maps?: SliceMaps } {
  if (!kept) return {};
  const onTokens = (map: Float32Array) => mapTokens(map, origin, patchSize);
  return { maps: { visual: kept.visual.map(onTokens), semantic: onTokens(kept.semantic) } };
}
