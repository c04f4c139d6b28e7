import type { Vec3 } from '../volume/geometry.ts';

/** Larger than any squared distance in a patient, and finite: the parabolas below subtract it from itself. */
const FAR = 1e12;

/**
 * Squared distance in mm^2 from every voxel centre to the nearest voxel with `mask` = 1, float64 `[slice, row, column]`
 * (Felzenszwalb and Huttenlocher's lower envelope of parabolas, axis by axis; exact). All `1e12` for an empty mask.
 */
export function squaredDistances(mask: Uint8Array, size: Vec3, spacingMm: Vec3): Float64Array {
  const distances = new Float64Array(mask.length);
  for (let n = 0; n < mask.length; n++) distances[n] = mask[n] === 1 ? 0 : FAR;
  const strides = [1, size[0], size[0] * size[1]] as const;
  for (const axis of [0, 1, 2] as const) {
    const count = size[axis];
    const stride = strides[axis];
    const line = new Float64Array(count);
    const envelope = { sites: new Int32Array(count), bounds: new Float64Array(count + 1) };
    for (let n = 0; n < distances.length; n++) {
      if (Math.floor(n / stride) % count !== 0) continue;
      for (let t = 0; t < count; t++) line[t] = distances[n + t * stride]!;
      transformLine(line, spacingMm[axis], envelope, (t, value) => {
        distances[n + t * stride] = value;
      });
    }
  }
  return distances;
}

function transformLine(
  line: Float64Array,
  spacing: number,
  envelope: { readonly sites: Int32Array; readonly bounds: Float64Array },
  write: (index: number, value: number) => void,
): void {
  const { sites, bounds } = envelope;
  const square = spacing * spacing;
  const crossing = (a: number, b: number): number =>
    (line[b]! - line[a]! + square * (b * b - a * a)) / (2 * square * (b - a));
  let last = 0;
  sites[0] = 0;
  bounds[0] = Number.NEGATIVE_INFINITY;
  for (let t = 1; t < line.length; t++) {
    let at = crossing(sites[last]!, t);
    while (at <= bounds[last]!) at = crossing(sites[--last]!, t);
    sites[++last] = t;
    bounds[last] = at;
  }
  bounds[last + 1] = Number.POSITIVE_INFINITY;
  for (let t = 0, s = 0; t < line.length; t++) {
    while (bounds[s + 1]! < t) s++;
    const site = sites[s]!;
    write(t, Math.min(FAR, line[site]! + square * (t - site) * (t - site)));
  }
}
