import { createGeometry, type Geometry } from '../../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';

/** An oblique grid: 12 columns, 10 rows, spacing 0.9765625 x 1.25 x 2.5 mm. */
export function obliqueGrid(slices: number): Geometry {
  const c = Math.cos(0.3);
  const s = Math.sin(0.3);
  return createGeometry({
    size: [12, 10, slices],
    spacingMm: [0.9765625, 1.25, 2.5],
    origin: [-40, 12.5, -80],
    direction: [
      [1, 0, 0],
      [0, c, s],
      [0, -s, c],
    ],
  });
}

/** Different values in every voxel, negative ones among them. */
export function phantom(slices = 6, geometry = obliqueGrid(slices)): Volume {
  const [columns, rows] = geometry.size;
  const data = Int16Array.from({ length: columns * rows * slices }, (_, n) => n * 3 - 500);
  return createVolume(data, geometry);
}
