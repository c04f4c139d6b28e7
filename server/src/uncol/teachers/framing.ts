import type { SliceToAsk } from './generalized.ts';
import type { TeacherManifest } from './manifest.ts';

/** A slice without prompts. */
export type Frame = Pick<SliceToAsk, 'image' | 'height' | 'width'>;

/** The slice in the upper left corner of the encoder's input, normalised; 0 beside it. [channels,side,side]. */
export function enlarge({ image, height, width }: Frame, encoder: TeacherManifest['encoder']): Float32Array {
  const side = encoder.size[0] ?? 0;
  const factor = Math.max(height, width) / side;
  const [low, span] = rangeOf(image, encoder.range);
  const plane = side * side;
  const result = new Float32Array(encoder.channels * plane);
  const [rows, columns] = [Math.round(height / factor), Math.round(width / factor)];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = interpolate(image, height, width, (row + 0.5) * factor - 0.5, (column + 0.5) * factor - 0.5);
      const scaled = ((value - low) / span) * encoder.scale;
      for (let channel = 0; channel < encoder.channels; channel++) {
        const at = channel * plane + row * side + column;
        result[at] = (scaled - (encoder.mean[channel] ?? 0)) / (encoder.sd[channel] ?? 1);
      }
    }
  }
  return result;
}

/** What is taken off, and what the rest is divided by. */
function rangeOf(image: Float32Array, range: TeacherManifest['encoder']['range']): readonly [number, number] {
  if (range === 'given') return [0, 1];
  const inside = range === 'standard' ? image.filter((value) => value > 0) : image;
  const count = Math.max(1, inside.length);
  if (range === 'slice') {
    const low = inside.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
    const high = inside.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    return [low, high > low ? high - low : 1];
  }
  const mean = inside.reduce((sum, value) => sum + value, 0) / count;
  const variance = inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  return [mean, Math.sqrt(variance) || 1];
}

/** A map [side,side] over the encoder's whole input, read at the slice's pixels, [H,W]. */
export function readAtPixels(map: Float32Array, side: number, { height, width }: Frame): Float32Array {
  const factor = side / Math.max(height, width);
  const result = new Float32Array(height * width);
  for (let at = 0; at < result.length; at++) {
    const [row, column] = [Math.floor(at / width), at % width];
    result[at] = interpolate(map, side, side, (row + 0.5) * factor - 0.5, (column + 0.5) * factor - 0.5);
  }
  return result;
}

/** Bilinear, edges repeated. */
function interpolate(values: Float32Array, height: number, width: number, row: number, column: number): number {
  const y = Math.min(height - 1, Math.max(0, row));
  const x = Math.min(width - 1, Math.max(0, column));
  const top = Math.min(height - 2, Math.floor(y));
  const left = Math.min(width - 2, Math.floor(x));
  const [v, u] = [y - top, x - left];
  const at = top * width + left;
  const upper = (values[at] ?? 0) * (1 - u) + (values[at + 1] ?? 0) * u;
  return upper * (1 - v) + ((values[at + width] ?? 0) * (1 - u) + (values[at + width + 1] ?? 0) * u) * v;
}
