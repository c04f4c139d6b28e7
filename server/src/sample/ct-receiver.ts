import type { Random } from '../engine/random.ts';
import type { AcquiredRow, Receive, Scan } from './scanner.ts';
import { createVoxelBits, noiseTable } from './voxel-noise.ts';

/** What a CT scanner makes of the attenuation, and what lies in its field beside the head. */
export interface CtReceiver {
  readonly modality: 'CT';
  readonly headRest: HeadRest | undefined;
  /** Value outside the circle that is reconstructed, HU; absent: the whole image is. */
  readonly paddingHu: number | undefined;
}

/** A shell of plastic under the head, the same in every axial slice. */
interface HeadRest {
  /** Centre of its circle, mm to L and P of the head centre. */
  readonly centre: readonly [number, number];
  readonly radiusMm: number;
  readonly thicknessMm: number;
  /** How far it reaches up on either side, radians from straight below. */
  readonly halfAngle: number;
  /** Attenuation relative to water. */
  readonly level: number;
}

/** The lowest value of a 12-bit scanner, HU. */
const lowestHu = -1024;
/** Levels below are air, in which a head rest is seen. */
const airLevel = 0.3;

/** Draws head rest and padding. */
export function drawCtReceiver(random: Random): CtReceiver {
  const headRest = random.next() < 0.6 ? drawHeadRest(random) : undefined;
  const paddingHu = random.next() < 0.4 ? random.pick([-1024, -2000, -3024]) : undefined;
  return { modality: 'CT', headRest, paddingHu };
}

function drawHeadRest(random: Random): HeadRest {
  const radiusMm = random.uniform(95, 190);
  const lowestMm = random.uniform(100, 130);
  return {
    centre: [random.uniform(-12, 12), lowestMm - radiusMm],
    radiusMm,
    thicknessMm: random.uniform(1.5, 7),
    halfAngle: random.uniform(0.5, 1.3),
    level: random.uniform(0.4, 1.5),
  };
}

/** Makes Hounsfield units. The noise is normal. */
export function receiveCt(receiver: CtReceiver, { grid, spread, noise }: Scan, seed: number): Receive {
  const { headRest, paddingHu } = receiver;
  const { size, start, step } = grid;
  const [columns, rows] = size;
  const middle = [0, 1].map((axis) => start[axis]! + ((size[axis]! - 1) * step[axis]!) / 2);
  const fieldMm = Math.max(columns * step[0], rows * step[1]) / 2;
  const bitsOf = createVoxelBits(seed);
  const normal = noiseTable();
  return ({ signal, truth }: AcquiredRow, y, z) => {
    const yMm = start[1] + y * step[1];
    for (let x = 0; x < columns; x++) {
      const xMm = start[0] + x * step[0];
      if (paddingHu !== undefined && Math.hypot(xMm - middle[0]!, yMm - middle[1]!) > fieldMm) {
        signal[x] = paddingHu;
        truth[x] = 0;
        continue;
      }
      let level = signal[x]! / spread.length;
      if (headRest !== undefined && level < airLevel) level = Math.max(level, levelOfRest(headRest, xMm, yMm));
      const bits = bitsOf(x + columns * (y + rows * z));
      signal[x] = Math.max(lowestHu, 1000 * (level - 1 + noise * normal[bits & 65535]!));
    }
  };
}

function levelOfRest({ centre, radiusMm, thicknessMm, halfAngle, level }: HeadRest, xMm: number, yMm: number): number {
  const [dx, dy] = [xMm - centre[0], yMm - centre[1]];
  if (Math.abs(Math.atan2(dx, dy)) > halfAngle) return 0;
  // Its faces are blurred over 2 mm.
  const depthMm = thicknessMm / 2 - Math.abs(Math.hypot(dx, dy) - radiusMm);
  return level * Math.max(0, Math.min(1, depthMm / 2 + 0.5));
}
