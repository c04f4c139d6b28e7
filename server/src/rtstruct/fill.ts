/** A polygon in a slice: column and row of each corner, which may be fractional; the last is joined to the first. */
export interface Polygon {
  readonly columns: Float64Array;
  readonly rows: Float64Array;
}

/** Crossings this near to a pixel centre are on it, pixels: what the arithmetic leaves must not decide. */
const onCentre = 1e-6;

/**
 * The elements `row * columns + column` of an image whose pixel centres lie inside a polygon, even-odd, so that a keyhole
 * (an outline that runs in to a hole and back on the same line) leaves the hole out.
 *
 * A centre on an edge is inside where the polygon lies on the side of growing column or row index, and else outside: of
 * two polygons with a common edge each pixel is in one, and a polygon with whole corners has as many pixels as its area.
 */
export function fillPolygon(polygon: Polygon, [columns, rows]: readonly [number, number]): readonly number[] {
  const crossings = new Map<number, number[]>();
  const corners = polygon.rows.length;
  for (let n = 0; n < corners; n++) {
    const next = (n + 1) % corners;
    const [from, to] = [polygon.rows[n] ?? 0, polygon.rows[next] ?? 0];
    const [x, end] = [polygon.columns[n] ?? 0, polygon.columns[next] ?? 0];
    // Rows from the upper end to before the lower one: an edge along a row crosses none.
    const first = Math.max(0, Math.ceil(Math.min(from, to)));
    const last = Math.min(rows, Math.ceil(Math.max(from, to)));
    for (let row = first; row < last; row++) {
      const at = x + ((row - from) / (to - from)) * (end - x);
      const found = crossings.get(row);
      if (found) found.push(at);
      else crossings.set(row, [at]);
    }
  }
  const inside: number[] = [];
  for (const [row, found] of crossings) {
    found.sort((a, b) => a - b);
    for (let n = 0; n + 1 < found.length; n += 2) {
      const first = Math.max(0, Math.ceil((found[n] ?? 0) - onCentre));
      const last = Math.min(columns, Math.ceil((found[n + 1] ?? 0) - onCentre));
      for (let column = first; column < last; column++) inside.push(row * columns + column);
    }
  }
  return inside;
}
