import type { Geometry } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';
import { sliceMapper } from '../volume/resample.ts';
import { sumForeground } from './foreground.ts';

/** A byte rounds less to 0. */
const least = 1 / 510;

/**
 * Probabilities of the segments on the grid of the source, a slice at a time, `[segment][pixel]` float32, trilinear; 0
 * where the network did not look. Nothing is computed before a slice is asked for; the next slice reuses its arrays.
 *
 * @param foreground of each segment on `grid`, `[slice, row, column]` float32, by number - 1.
 */
export function mapProbabilities(
  foreground: readonly Float32Array[],
  grid: Geometry,
  source: Geometry,
): (slice: number) => readonly Float32Array[] {
  let valuesOf: ((slice: number) => readonly Float32Array[]) | undefined;
  return (slice) => {
    valuesOf ??= open(foreground, grid, source);
    return valuesOf(slice);
  };
}

function open(
  foreground: readonly Float32Array[],
  grid: Geometry,
  source: Geometry,
): (slice: number) => readonly Float32Array[] {
  const box = boxAround(grid.size, sumForeground(foreground), least);
  if (box !== null) return sliceMapper(foreground, grid, source, box);
  const nothing = foreground.map(() => new Float32Array(source.size[0] * source.size[1]));
  return () => nothing;
}
