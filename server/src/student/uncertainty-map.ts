import { carryDecided, type Decided, undecided } from '../volume/carry.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';

/** Below one hundredth a map says 0, so what lies under it need not be carried over. */
const least = 0.005;

/**
 * The network's normalised entropy where the reader looks: hundredths, 0 sure .. 100 unsure, `[slice, row, column]` uint8
 * on `source`, trilinear; 0 where the network did not look.
 *
 * @param entropy `[slice, row, column]` float32 on `grid`, 0..1.
 */
export function mapUncertainty(entropy: Float32Array, grid: Geometry, source: Geometry): Uint8Array {
  const box = boxAround(grid.size, entropy, least);
  if (box === null) return new Uint8Array(voxelCount(source));
  const codes = new Uint8Array(entropy.length);
  for (let n = 0; n < codes.length; n++) codes[n] = entropy[n]! < least ? 0 : undecided;
  return carryDecided({ fields: [entropy], codes, decide: writeHundredths }, grid, source, box);
}

const writeHundredths: Decided['decide'] = (fields, out, offset, from, end) => {
  const values = fields[0]!;
  // Truncation of what is not negative, half added, rounds, and faster than `Math.round`.
  for (let n = from; n < end; n++) out[offset + n] = 100 * values[n]! + 0.5;
};
