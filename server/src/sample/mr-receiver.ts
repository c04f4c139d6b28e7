import type { Random } from '../engine/random.ts';
import type { AcquiredRow, PatientGrid, Receive, Scan } from './scanner.ts';
import { createVoxelBits, noiseTable } from './voxel-noise.ts';

/** What happens to the signal in an MR scanner. */
export interface MrReceiver {
  readonly modality: 'MR';
  /** Signals below this level are set to nothing, as scanners do with air. */
  readonly floor: number;
  /** Voxels within this many of a face are set to nothing: `[low, high]` for x, y, z. */
  readonly border: readonly (readonly [number, number])[];
  /** Stored value = gain * signal + shift. */
  readonly gain: number;
  readonly shift: number;
}

/** Draws borders and intensity scale. */
export function drawMrReceiver(random: Random, isWide: boolean, isStripped: boolean, grid: PatientGrid): MrReceiver {
  const isAirRemoved = isWide && random.next() < 0.2;
  const hasBorder = isWide && random.next() < 0.25;
  const border = grid.step.map((step): readonly [number, number] => {
    const side = (): number => (hasBorder ? Math.max(0, Math.round(random.uniform(-20, 30) / step)) : 0);
    return [side(), side()];
  });
  const gain = isWide ? 10 ** random.uniform(-3, 4) : random.uniform(400, 1600);
  const shift = isWide && random.next() < 0.25 ? gain * random.uniform(-2, 2) : 0;
  const floor = isStripped ? 0.02 : isAirRemoved ? 0.06 : 0;
  return { modality: 'MR', floor, border, gain, shift };
}

/** Makes magnitude images: the noise is Rician. */
export function receiveMr(receiver: MrReceiver, { grid, spread, noise }: Scan, seed: number): Receive {
  const { border, floor, gain, shift } = receiver;
  const { size } = grid;
  const [columns, rows] = size;
  const bitsOf = createVoxelBits(seed);
  const normal = noiseTable();
  const isBorder = (n: number, axis: 0 | 1 | 2): boolean => n < border[axis]![0] || n >= size[axis] - border[axis]![1];
  return ({ signal, truth }: AcquiredRow, y, z) => {
    const isEmptyRow = isBorder(y, 1) || isBorder(z, 2);
    for (let x = 0; x < columns; x++) {
      const mean = signal[x]! / spread.length;
      const isEmpty = isEmptyRow || isBorder(x, 0);
      let level = 0;
      // What the scan does not show is not asked for.
      if (isEmpty) truth[x] = 0;
      if (!isEmpty && mean >= floor) {
        const bits = bitsOf(x + columns * (y + rows * z));
        const real = mean + noise * normal[bits & 65535]!;
        const imaginary = noise * normal[bits >>> 16]!;
        level = Math.sqrt(real * real + imaginary * imaginary);
      }
      signal[x] = gain * level + shift;
    }
  };
}
