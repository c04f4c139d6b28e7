import { type Axes, type Axis, positions } from './aligned.ts';
import type { Geometry, IndexMap, Vec3 } from './geometry.ts';

/**
 * Trilinear values of an aligned target, a run of columns at a time: what is the same along a row is looked up once. Beyond
 * the outermost voxel centres the value at the centre holds.
 *
 * A class, so that what V8 has compiled of it stays: of a function that is made anew for each volume it is forgotten with it.
 */
export class AlignedRuns {
  readonly #width: number;
  readonly #across: Line;
  readonly #down: Line;
  readonly #through: Line;

  constructor(size: Vec3, target: Geometry, map: IndexMap, axes: Axes) {
    const strides: Vec3 = [1, size[0], size[0] * size[1]];
    const [across, down, through] = placesAlong(size, target, map, axes);
    this.#width = target.size[0];
    this.#across = lineOf(across, size[axes[0]], strides[axes[0]]);
    this.#down = lineOf(down, size[axes[1]], strides[axes[1]]);
    this.#through = lineOf(through, size[axes[2]], strides[axes[2]]);
  }

  /** Writes the columns of a row of a slice, from `first` on and before `end`, to their place in `out`, `[row, column]`. */
  mix(field: Float32Array, slice: number, row: number, first: number, end: number, out: Float32Array): void {
    const across = this.#across;
    const down = this.#down;
    const through = this.#through;
    const near = through.before[slice]! + down.before[row]!;
    const nearBelow = through.before[slice]! + down.next[row]!;
    const far = through.next[slice]! + down.before[row]!;
    const farBelow = through.next[slice]! + down.next[row]!;
    const deep = through.share[slice]!;
    const low = down.share[row]!;
    const start = row * this.#width;
    let cell = -1;
    let left = 0;
    let right = 0;
    for (let c = first; c < end; c++) {
      const n = across.before[c]!;
      if (n !== cell) {
        const m = across.next[c]!;
        left = mixFour(field[near + n]!, field[far + n]!, field[nearBelow + n]!, field[farBelow + n]!, deep, low);
        right = mixFour(field[near + m]!, field[far + m]!, field[nearBelow + m]!, field[farBelow + m]!, deep, low);
        cell = n;
      }
      out[start + c] = left + across.share[c]! * (right - left);
    }
  }
}

function mixFour(near: number, far: number, nearBelow: number, farBelow: number, deep: number, low: number): number {
  const top = near + deep * (far - near);
  const bottom = nearBelow + deep * (farBelow - nearBelow);
  return top + low * (bottom - top);
}

/** Elements of the voxel before each position and of the next one, and how far the position is on the way between. */
interface Line extends Places {
  readonly next: Int32Array;
}

function lineOf({ before, share }: Places, count: number, stride: number): Line {
  const next = before.map((n) => Math.min(count - 1, n + 1) * stride);
  return { before: before.map((n) => n * stride), next, share };
}

/** The voxel before each position, and how far it is on the way to the next one. */
export interface Places {
  readonly before: Int32Array;
  readonly share: Float64Array;
}

/** Of the columns, rows and slices of an aligned target along the axes of the source. */
export function placesAlong(
  size: Vec3,
  target: Geometry,
  map: IndexMap,
  axes: Axes,
): readonly [Places, Places, Places] {
  const of = (a: Axis) => placesOf(positions(target, map, a, axes[a]), size[axes[a]]);
  return [of(0), of(1), of(2)];
}

function placesOf(at: Float64Array, count: number): Places {
  const clamped = at.map((x) => Math.min(count - 1, Math.max(0, x)));
  return { before: Int32Array.from(clamped, Math.floor), share: clamped.map((x) => x - Math.floor(x)) };
}
