import type { Random } from '../engine/random.ts';

/** Sides of a scene are 2 long whatever their number of pixels. */
const fullSide = 2;

/** An ellipsoid: a ball of a stretched and turned space. */
interface Ellipsoid {
  readonly centre: readonly number[];
  /** Row by row; a place is inside where this maps its distance from the centre to a length of at most 1. */
  readonly matrix: readonly (readonly number[])[];
  readonly value: number;
}

/**
 * A picture of nothing: ellipsoids over and in each other, or blotches, with noise; no two alike.
 *
 * @param space [H,W] or [D,H,W].
 * @returns [space...] float32 in 0..1, exactly 0 where it shows air.
 */
export function drawScene(space: readonly number[], random: Random): Float32Array {
  const noise = random.uniform(0, 0.08);
  const scene = random.next() < 0.75 ? drawEllipsoids(space, random) : drawBlotches(space, random);
  return scene.map((value) => (value === 0 ? 0 : Math.min(1, Math.max(1e-3, value + random.normal(noise)))));
}

function drawEllipsoids(space: readonly number[], random: Random): Float32Array {
  const scene = new Float32Array(space.reduce((a, b) => a * b, 1));
  const count = 1 + random.int(12);
  let last: Ellipsoid | undefined;
  for (let n = 0; n < count; n++) {
    // Some lie in the one before, like shells; the first one is large.
    const inner = last && random.next() < 0.4 ? shrunk(last, random) : undefined;
    last = inner ?? drawEllipsoid(space.length, random, n === 0 ? [0.4, 0.95] : [0.05, 0.5]);
    paint(scene, space, last);
  }
  return scene;
}

function drawEllipsoid(dimensions: number, random: Random, [least, most]: readonly [number, number]): Ellipsoid {
  const axes = turned(dimensions, random);
  const matrix = axes.map((axis) => {
    const half = Math.exp(random.uniform(Math.log(least), Math.log(most)));
    return axis.map((part) => part / half);
  });
  const reach = 0.8 * (1 - least);
  const centre = axes.map(() => random.uniform(-reach, reach) * (most > 0.5 ? 0.3 : 1));
  return { centre, matrix, value: random.uniform(0.02, 1) };
}

function shrunk({ centre, matrix }: Ellipsoid, random: Random): Ellipsoid {
  const factor = random.uniform(1.04, 1.5);
  const smaller = matrix.map((row) => row.map((part) => part * factor));
  return { centre, matrix: smaller, value: random.uniform(0.02, 1) };
}

/** Orthonormal axes at random. */
function turned(dimensions: number, random: Random): readonly (readonly number[])[] {
  const axes: number[][] = [];
  while (axes.length < dimensions) {
    const axis = Array.from({ length: dimensions }, () => random.normal());
    for (const other of axes) {
      const along = axis.reduce((sum, part, n) => sum + part * other[n]!, 0);
      for (let n = 0; n < dimensions; n++) axis[n] = axis[n]! - along * other[n]!;
    }
    const length = Math.hypot(...axis);
    if (length > 1e-3) axes.push(axis.map((part) => part / length));
  }
  return axes;
}

function paint(scene: Float32Array, space: readonly number[], { centre, matrix, value }: Ellipsoid): void {
  const offset = new Float64Array(space.length);
  for (let at = 0; at < scene.length; at++) {
    let rest = at;
    for (let axis = space.length - 1; axis >= 0; axis--) {
      const size = space[axis]!;
      offset[axis] = (fullSide * ((rest % size) + 0.5)) / size - 1 - centre[axis]!;
      rest = Math.floor(rest / size);
    }
    let distance = 0;
    for (const row of matrix) {
      let along = 0;
      for (let axis = 0; axis < row.length; axis++) along += row[axis]! * offset[axis]!;
      distance += along * along;
    }
    if (distance <= 1) scene[at] = value;
  }
}

/** Random values on a coarse grid, each repeated over its cell. */
function drawBlotches(space: readonly number[], random: Random): Float32Array {
  const cell = 1 + random.int(12);
  const grid = space.map((size) => Math.ceil(size / cell));
  const values = Float32Array.from({ length: grid.reduce((a, b) => a * b, 1) }, () => random.uniform(0.01, 1));
  return Float32Array.from({ length: space.reduce((a, b) => a * b, 1) }, (_, at) => {
    let [rest, from, stride] = [at, 0, 1];
    for (let axis = space.length - 1; axis >= 0; axis--) {
      from += Math.floor((rest % space[axis]!) / cell) * stride;
      stride *= grid[axis]!;
      rest = Math.floor(rest / space[axis]!);
    }
    return values[from]!;
  });
}
