/**
 * Distance between neighbouring slices of an even stack, mm; null for fewer than two.
 *
 * @param positions of the slices, LPS mm, in any order.
 */
export function measureStep(positions: readonly (readonly number[])[]): number | null {
  const [first] = positions;
  if (first === undefined || positions.length < 2) return null;
  const distance = (a: readonly number[], b: readonly number[]) =>
    Math.hypot(...a.map((value, axis) => value - (b[axis] ?? value)));
  // The slice farthest from any is an end of the stack; from there the other end is farthest.
  const farthest = (from: readonly number[]) =>
    positions.reduce((most, position) => (distance(position, from) > distance(most, from) ? position : most), from);
  const end = farthest(first);
  return distance(end, farthest(end)) / (positions.length - 1);
}
