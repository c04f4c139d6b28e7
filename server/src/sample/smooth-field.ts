import type { Random } from '../engine/random.ts';

/** Cubic B-spline through `nodes` random coefficients an axis, read at `points` equal steps from end to end. */
function splineMatrix(nodes: number, points: number): Float64Array {
  const matrix = new Float64Array(points * nodes);
  for (let p = 0; p < points; p++) {
    const position = 1 + ((nodes - 3) * p) / (points - 1);
    const base = Math.min(Math.floor(position), nodes - 3);
    const t = position - base;
    const weights = [(1 - t) ** 3, 3 * t ** 3 - 6 * t * t + 4, -3 * t ** 3 + 3 * t * t + 3 * t + 1, t ** 3];
    for (let w = 0; w < 4; w++) matrix[p * nodes + base - 1 + w] = weights[w]! / 6;
  }
  return matrix;
}

/** Applies `matrix` [points, nodes] to the middle axis of `values` [outer, nodes, inner]. */
function applyAxis(
  matrix: Float64Array,
  values: Float64Array,
  [outer, nodes, inner]: readonly [number, number, number],
): Float64Array {
  const points = matrix.length / nodes;
  const result = new Float64Array(outer * points * inner);
  for (let o = 0; o < outer; o++)
    for (let p = 0; p < points; p++)
      for (let n = 0; n < nodes; n++) {
        const weight = matrix[p * nodes + n]!;
        if (weight === 0) continue;
        const to = (o * points + p) * inner;
        const from = (o * nodes + n) * inner;
        for (let i = 0; i < inner; i++) result[to + i] = result[to + i]! + weight * values[from + i]!;
      }
  return result;
}

/**
 * A smooth random field on a cube: cubic B-spline over `nodes`^3 coefficients of standard deviation `sd` (about a third
 * of that remains after smoothing), read at `points`^3 positions from face to face.
 *
 * @returns Float64 `[z, y, x]`.
 */
export function smoothField(random: Random, nodes: number, points: number, sd: number): Float64Array {
  const coefficients = Float64Array.from({ length: nodes ** 3 }, () => random.normal(sd));
  const matrix = splineMatrix(nodes, points);
  const x = applyAxis(matrix, coefficients, [nodes * nodes, nodes, 1]);
  const y = applyAxis(matrix, x, [nodes, nodes, points]);
  return applyAxis(matrix, y, [1, nodes, points * points]);
}
