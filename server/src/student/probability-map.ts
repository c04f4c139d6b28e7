import type { Geometry } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';
import { sliceMapper } from '../volume/resample.ts';
import type { Answer } from './predict.ts';

/** A byte rounds less to 0; float32 sums are off by less than the rest. */
const least = 1 / 510 - 1e-5;

/**
 * Probabilities of the segments on the grid of the source, a slice at a time, `[segment][pixel]` float32, trilinear; 0
 * where the network did not look. Nothing is computed before a slice is asked for; the next slice reuses its arrays.
 *
 * @param answer of the network, on `grid`.
 */
export function mapProbabilities(
  answer: Pick<Answer, 'foreground' | 'anySegment'>,
  grid: Geometry,
  source: Geometry,
): (slice: number) => readonly Float32Array[] {
  let valuesOf: ((slice: number) => readonly Float32Array[]) | undefined;
  return (slice) => {
    valuesOf ??= open(answer, grid, source);
    return valuesOf(slice);
  };
}

function open(
  { foreground, anySegment }: Pick<Answer, 'foreground' | 'anySegment'>,
  grid: Geometry,
  source: Geometry,
): (slice: number) => readonly Float32Array[] {
  const box = boxAround(grid.size, anySegment, least);
  if (box !== null) return sliceMapper(foreground, grid, source, box);
  const nothing = foreground.map(() => new Float32Array(source.size[0] * source.size[1]));
  return () => nothing;
}
