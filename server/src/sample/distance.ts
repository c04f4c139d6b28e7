import type { Vec3 } from '../volume/geometry.ts';

/**
 * Chamfer distance to the nearest set voxel, in thirds of a voxel (3 face, 4 edge, 5 corner), capped at `cap`.
 *
 * @param mask `[slice, row, column]` uint8, non-zero = set.
 * @param cap At most 250.
 * @returns uint8 `[slice, row, column]`, 0 on set voxels.
 */
export function chamferDistance(mask: Uint8Array, [columns, rows, slices]: Vec3, cap: number): Uint8Array {
  // One voxel of margin on every side spares the sweeps all bounds checks.
  const [wide, deep] = [columns + 2, rows + 2];
  const padded = new Uint8Array(wide * deep * (slices + 2)).fill(cap);
  const result = new Uint8Array(mask.length);
  const eachRow = (visit: (from: number, to: number) => void): void => {
    for (let k = 0; k < slices; k++)
      for (let j = 0; j < rows; j++) visit((k * rows + j) * columns, ((k + 1) * deep + j + 1) * wide + 1);
  };
  eachRow((from, to) => {
    for (let i = 0; i < columns; i++) if (mask[from + i] !== 0) padded[to + i] = 0;
  });
  const rowStarts: number[] = [];
  eachRow((_, to) => rowStarts.push(to));
  sweep(padded, [wide, deep], rowStarts, columns, 1);
  sweep(padded, [wide, deep], rowStarts.reverse(), columns, -1);
  eachRow((from, to) => result.set(padded.subarray(to, to + columns), from));
  return result;
}

/** Takes each voxel's best distance over the thirteen neighbours that come earlier in the direction of the sweep. */
function sweep(
  distance: Uint8Array,
  [wide, deep]: readonly [number, number],
  rowStarts: readonly number[],
  columns: number,
  sign: 1 | -1,
): void {
  const steps: number[] = [];
  const costs: number[] = [];
  for (let k = -1; k <= 0; k++)
    for (let j = -1; j <= 1; j++)
      for (let i = -1; i <= 1; i++) {
        const step = (k * deep + j) * wide + i;
        if (step >= 0) continue;
        steps.push(sign * step);
        costs.push(2 + Math.abs(i) + Math.abs(j) + Math.abs(k));
      }
  for (const start of rowStarts)
    for (let m = 0; m < columns; m++) {
      const n = start + (sign === 1 ? m : columns - 1 - m);
      let best = distance[n]!;
      if (best === 0) continue;
      for (let s = 0; s < 13; s++) {
        const through = distance[n + steps[s]!]! + costs[s]!;
        if (through < best) best = through;
      }
      distance[n] = best;
    }
}
