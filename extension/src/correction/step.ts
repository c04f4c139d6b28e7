type Vector = readonly number[];

/**
 * Millimetres along their normal that each slice of a stack stands for: half-way to its neighbours, and half of the smallest
 * gap beyond the outer ones. Empty for fewer than two. Slices of a tilted gantry are no farther apart than others.
 *
 * @param positions of the slices, LPS mm, in any order.
 * @param row direction cosines of a row; `column` those of a column.
 */
export function measureSteps(positions: readonly Vector[], row: Vector, column: Vector): readonly number[] {
  if (positions.length < 2) return [];
  const [a = 0, b = 0, c = 0] = row;
  const [d = 0, e = 0, f = 0] = column;
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  const along = positions.map((position) =>
    position.reduce((sum, value, axis) => sum + value * (normal[axis] ?? 0), 0),
  );
  const sorted = [...along].sort((first, second) => first - second);
  const gaps = sorted.slice(1).map((mm, n) => mm - (sorted[n] ?? mm));
  const least = Math.min(...gaps);
  return along.map((mm) => {
    const at = sorted.indexOf(mm);
    return ((gaps[at - 1] ?? least) + (gaps[at] ?? least)) / 2;
  });
}
