import { subGrid, type Vec3 } from '../../server/src/volume/geometry.ts';
import type { Volume, VoxelArray } from '../../server/src/volume/volume.ts';

/** A scan with its truth, both `[slice, row, column]` on one grid. */
export interface Scan {
  readonly volume: Volume;
  readonly truth: Uint8Array;
}

/**
 * Part of a scan: a smaller field of view, `share` of each side.
 *
 * @param place of the part along i, j and k: 0 at the start of a side, 1 at its end.
 */
export function partOf({ volume, truth }: Scan, share: number, place: Vec3 = [0.5, 0.5, 0.5]): Scan {
  const whole = volume.geometry.size;
  const size = mapAxes((axis) => Math.round(whole[axis] * share));
  const start = mapAxes((axis) => Math.floor((whole[axis] - size[axis]) * place[axis]));
  return {
    volume: { data: cut(volume.data, whole, start, size), geometry: subGrid(volume.geometry, start, size) },
    truth: cut(truth, whole, start, size),
  };
}

function cut<T extends VoxelArray>(from: T, whole: Vec3, start: Vec3, size: Vec3): T {
  const to = from.slice(0, size[0] * size[1] * size[2]) as T;
  let at = 0;
  for (let k = 0; k < size[2]; k++) {
    for (let j = 0; j < size[1]; j++) {
      const row = ((start[2] + k) * whole[1] + start[1] + j) * whole[0] + start[0];
      to.set(from.subarray(row, row + size[0]), at);
      at += size[0];
    }
  }
  return to;
}

function mapAxes(value: (axis: 0 | 1 | 2) => number): Vec3 {
  return [value(0), value(1), value(2)];
}
