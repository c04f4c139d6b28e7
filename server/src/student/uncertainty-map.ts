import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';
import { sliceMapper } from '../volume/resample.ts';

/** Below one hundredth a map says 0, so what lies under it need not be carried over. */
const least = 0.005;

/**
 * The network's normalised entropy where the reader looks: hundredths, 0 sure .. 100 unsure, `[slice, row, column]` uint8
 * on `source`, trilinear; 0 where the network did not look.
 *
 * @param entropy `[slice, row, column]` float32 on `grid`, 0..1.
 */
export function mapUncertainty(entropy: Float32Array, grid: Geometry, source: Geometry): Uint8Array {
  const map = new Uint8Array(voxelCount(source));
  const box = boxAround(grid.size, entropy, least);
  if (box === null) return map;
  const valuesOf = sliceMapper([entropy], grid, source, box);
  const pixels = source.size[0] * source.size[1];
  for (let k = 0; k < source.size[2]; k++) {
    const [values] = valuesOf(k);
    const start = k * pixels;
    // Truncation of what is not negative, half added, rounds, and faster than `Math.round`.
    for (let n = 0; n < pixels; n++) map[start + n] = 100 * values![n]! + 0.5;
  }
  return map;
}
