import type { Shape } from '../../engine/ops.ts';
import { product } from '../../student/layers.ts';

/**
 * Of each element of a space the element of another grid that it falls on.
 *
 * @param along the place on an axis of `target`, by that on the same axis of `space`.
 * @returns [space...], row-major.
 */
export function elementsOn(space: Shape, target: Shape, along: (place: number) => number): Int32Array {
  let elements = Int32Array.of(0);
  for (const [axis, size] of space.entries()) {
    const outer = elements;
    const places = Int32Array.from({ length: size }, (_, place) => along(place));
    elements = new Int32Array(outer.length * size);
    for (let at = 0; at < elements.length; at++)
      elements[at] = outer[Math.floor(at / size)]! * target[axis]! + places[at % size]!;
  }
  return elements;
}

/**
 * Values between grid points: linear along every axis, edges repeated. Element i of the result lies at
 * (i + 0.5) * step - 0.5.
 *
 * @param values [space...].
 * @returns [target...].
 */
export function interpolate(values: Float32Array, space: Shape, target: Shape, step: number): Float64Array {
  let current = Float64Array.from(values);
  for (let axis = space.length - 1; axis >= 0; axis--) {
    const [from, to] = [space[axis]!, target[axis]!];
    const inner = product(target.slice(axis + 1));
    const next = new Float64Array(product(space.slice(0, axis)) * to * inner);
    for (let place = 0; place < to; place++) {
      const wanted = Math.min(from - 1, Math.max(0, (place + 0.5) * step - 0.5));
      const low = Math.min(from - 2, Math.floor(wanted));
      const share = wanted - low;
      for (let outer = 0; outer * to * inner < next.length; outer++) {
        const [read, write] = [(outer * from + low) * inner, (outer * to + place) * inner];
        for (let at = 0; at < inner; at++)
          next[write + at] = current[read + at]! * (1 - share) + current[read + inner + at]! * share;
      }
    }
    current = next;
  }
  return current;
}
