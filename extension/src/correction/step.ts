type Vector = readonly number[];

/**
 * Distance between neighbouring slices of an even stack along their normal, mm; null for fewer than two. Slices of a tilted
 * gantry are no farther apart than others.
 *
 * @param positions of the slices, LPS mm, in any order.
 * @param row direction cosines of a row; `column` those of a column.
 */
export function measureStep(positions: readonly Vector[], row: Vector, column: Vector): number | null {
  if (positions.length < 2) return null;
  const [a = 0, b = 0, c = 0] = row;
  const [d = 0, e = 0, f = 0] = column;
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  const along = positions.map((position) =>
    position.reduce((sum, value, axis) => sum + value * (normal[axis] ?? 0), 0),
  );
  return (Math.max(...along) - Math.min(...along)) / (positions.length - 1);
}
