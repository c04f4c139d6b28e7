import fc from 'fast-check';
import { createGeometry, type Geometry, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { leanBy, spaceBy } from '../../fixtures/seg-request.ts';

/** Directions of a grid turned by three angles (radians). */
export function turnedDirection(a: number, b: number, c: number): Geometry['direction'] {
  const [ca, sa, cb, sb, cc, sc] = [a, b, c].flatMap((t) => [Math.cos(t), Math.sin(t)]) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return [
    [cb * cc, cb * sc, -sb],
    [sa * sb * cc - ca * sc, sa * sb * sc + ca * cc, sa * cb],
    [ca * sb * cc + sa * sc, ca * sb * sc - sa * cc, ca * cb],
  ];
}

/** A grid whose box is centred on the patient origin. */
export function centredGrid(size: Vec3, spacingMm: Vec3, direction: Geometry['direction']): Geometry {
  const at = (axis: 0 | 1 | 2): number =>
    -[0, 1, 2].reduce((sum, t) => sum + (direction[t]![axis]! * spacingMm[t]! * (size[t]! - 1)) / 2, 0);
  return createGeometry({ size, spacingMm, origin: [at(0), at(1), at(2)], direction });
}

export const axialDirection: Geometry['direction'] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
export const coronalDirection: Geometry['direction'] = [
  [1, 0, 0],
  [0, 0, -1],
  [0, 1, 0],
];
export const sagittalDirection: Geometry['direction'] = [
  [0, 1, 0],
  [0, 0, -1],
  [-1, 0, 0],
];

/** Random oblique grids of up to `most` voxels an axis; half of them lean. */
export function obliqueGrids(least: number, most: number): fc.Arbitrary<Geometry> {
  const angle = fc.double({ min: -3, max: 3, noNaN: true });
  const count = fc.integer({ min: least, max: most });
  const spacing = fc.double({ min: 0.4, max: 6, noNaN: true });
  return fc
    .record({
      angles: fc.tuple(angle, angle, angle),
      size: fc.tuple(count, count, count),
      spacingMm: fc.tuple(spacing, spacing, spacing),
      lean: fc.oneof(fc.constant(0), fc.double({ min: -30, max: 30, noNaN: true })),
    })
    .map(({ angles, size, spacingMm, lean }) => {
      const leaning = leanBy(centredGrid(size, spacingMm, turnedDirection(...angles)), lean);
      return centredGrid(size, leaning.spacingMm, leaning.direction);
    });
}

/** Such grids, half of them with slices at gaps of one to four steps. */
export function unevenGrids(least: number, most: number): fc.Arbitrary<Geometry> {
  const gap = fc.double({ min: 1, max: 4, noNaN: true });
  const gaps = fc.array(gap, { minLength: least - 1, maxLength: most - 1 });
  return fc
    .tuple(obliqueGrids(least, most), fc.oneof(fc.constant(undefined), gaps))
    .map(([grid, wanted]) => (wanted ? spaceBy(grid, wanted) : grid));
}

/** A grid whose axes run along those of the patient in any order and sense, or nearly so. */
export function straightGrids(least: number, most: number): fc.Arbitrary<Geometry> {
  const count = fc.integer({ min: least, max: most });
  const spacing = fc.double({ min: 0.5, max: 3, noNaN: true });
  const order = fc.constantFrom([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0] as const);
  return fc
    .record({
      size: fc.tuple(count, count, count),
      spacingMm: fc.tuple(spacing, spacing, spacing),
      order,
      senses: fc.tuple(...([0, 1, 2] as const).map(() => fc.constantFrom(1, -1))),
      shift: fc.double({ min: -3, max: 3, noNaN: true }),
      angle: fc.constantFrom(0, 0, 0.2),
    })
    .map(({ size, spacingMm, order, senses, shift, angle }) => {
      const axes = turnedDirection(angle, 0, -angle);
      const axis = (a: number) => axes[order[a]!]!.map((part) => part * senses[a]!) as unknown as Vec3;
      const grid = centredGrid(size, spacingMm, [axis(0), axis(1), axis(2)]);
      return { ...grid, origin: [grid.origin[0] + shift, grid.origin[1], grid.origin[2] - shift] };
    });
}
