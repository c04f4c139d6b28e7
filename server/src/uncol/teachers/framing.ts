import type { Frame } from './generalized.ts';
import { elementsOn, interpolate } from './grids.ts';
import type { TeacherManifest } from './manifest.ts';

/**
 * The image in the first corner of the encoder's input, its longest side that of the input, normalised. Beside it lies 0,
 * as SAM pads; in the range `standard` what air became, as SAM-Med3D pads before it normalises.
 * [channels,side,side] or [channels,side,side,side].
 */
export function enlarge({ image, space }: Frame, encoder: TeacherManifest['encoder']): Float32Array {
  const step = Math.max(...space) / (encoder.size[0] ?? 0);
  const filled = space.map((size) => Math.round(size / step));
  const values = interpolate(image, space, filled, step);
  const places = elementsOn(filled, encoder.size, (place) => place);
  const [low, span] = rangeOf(image, encoder.range);
  const plane = encoder.size.reduce((product, side) => product * side, 1);
  const result = new Float32Array(encoder.channels * plane);
  for (let channel = 0; channel < encoder.channels; channel++) {
    const [mean, sd] = [encoder.mean[channel] ?? 0, encoder.sd[channel] ?? 1];
    const normalised = (value: number) => (((value - low) / span) * encoder.scale - mean) / sd;
    if (encoder.range === 'standard') result.fill(normalised(0), channel * plane, (channel + 1) * plane);
    for (let at = 0; at < values.length; at++) result[channel * plane + places[at]!] = normalised(values[at]!);
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

/** A map [side,side(,side)] over the encoder's whole input, read at the image's elements, [space...]. */
export function readAtPixels(map: Float32Array, side: number, { space }: Pick<Frame, 'space'>): Float32Array {
  const sides = space.map(() => side);
  return Float32Array.from(interpolate(map, sides, space, side / Math.max(...space)));
}
