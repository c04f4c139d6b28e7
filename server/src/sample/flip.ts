import type { Geometry, Vec3 } from '../volume/geometry.ts';
import type { Volume, VoxelArray } from '../volume/volume.ts';

/**
 * The same image with every index axis turned so that it grows towards L, P and S, as slices are shown: only the order
 * of voxels changes. The index axes must run along the patient axes.
 */
export function flipToPatient<T extends VoxelArray>(
  volume: Volume & { readonly data: T },
): Volume & { readonly data: T } {
  const { size, direction, spacingMm } = volume.geometry;
  const isReversed = direction.map((axis) => axis[0] + axis[1] + axis[2] < 0);
  const [columns, rows, slices] = size;
  const data = volume.data.slice() as T;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) {
      const from = ((isReversed[2] ? slices - 1 - k : k) * rows + (isReversed[1] ? rows - 1 - j : j)) * columns;
      const row = volume.data.subarray(from, from + columns);
      const to = (k * rows + j) * columns;
      data.set(row, to);
      if (isReversed[0]) data.subarray(to, to + columns).reverse();
    }
  const turned = (axis: Vec3): Vec3 => [Math.abs(axis[0]), Math.abs(axis[1]), Math.abs(axis[2])];
  const origin = [0, 1, 2].map((p) =>
    [0, 1, 2].reduce(
      (sum, a) => sum + (isReversed[a] ? (size[a]! - 1) * spacingMm[a]! * direction[a]![p]! : 0),
      volume.geometry.origin[p]!,
    ),
  ) as unknown as Vec3;
  const geometry: Geometry = {
    size,
    spacingMm,
    origin,
    direction: [turned(direction[0]), turned(direction[1]), turned(direction[2])],
  };
  return { data, geometry };
}
