import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../server/src/engine/random.ts';
import {
  type Geometry,
  indexToPatient,
  patientToIndex,
  planeGrid,
  type Vec3,
  voxelCount,
} from '../../../server/src/volume/geometry.ts';
import { resampleLabels } from '../../../server/src/volume/nearest.ts';
import { resample, sliceMapper } from '../../../server/src/volume/resample.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';
import { spaceBy } from '../../fixtures/seg-request.ts';
import {
  axialDirection,
  centredGrid,
  coronalDirection,
  obliqueGrids,
  straightGrids,
  turnedDirection,
  unevenGrids,
} from './grids.ts';

type Paint = (position: Vec3) => number;

function paint(g: Geometry, value: Paint): Float32Array {
  const data = new Float32Array(g.size[0] * g.size[1] * g.size[2]);
  let n = 0;
  for (let k = 0; k < g.size[2]; k++)
    for (let j = 0; j < g.size[1]; j++)
      for (let i = 0; i < g.size[0]; i++) data[n++] = value(indexToPatient(g, [i, j, k]));
  return data;
}

/** Calls back for every voxel of `target` with its distance (source voxels) to the nearest face of the source box. */
function eachDepth(source: Geometry, target: Geometry, visit: (n: number, depth: Vec3, at: Vec3) => void): void {
  let n = 0;
  for (let k = 0; k < target.size[2]; k++)
    for (let j = 0; j < target.size[1]; j++)
      for (let i = 0; i < target.size[0]; i++) {
        const at = indexToPatient(target, [i, j, k]);
        const index = patientToIndex(source, at);
        const depth = (axis: 0 | 1 | 2) => Math.min(index[axis] + 0.5, source.size[axis] - 0.5 - index[axis]);
        visit(n++, [depth(0), depth(1), depth(2)], at);
      }
}

test('a linear ramp is exact inside, between random oblique grids, finer or coarser, even or not', () => {
  const rise = fc.double({ min: -2, max: 2, noNaN: true });
  const slope = fc.tuple(rise, rise, rise);
  fc.assert(
    fc.property(unevenGrids(6, 20), obliqueGrids(4, 12), slope, (source, target, [a, b, c]) => {
      const ramp: Paint = (p) => a * p[0] + b * p[1] + c * p[2] + 10;
      const { volume } = resample(createVolume(paint(source, ramp), source), target, { outside: 0 });
      // The box of the low-pass is at most the target's largest spacing wide; block averaging at most doubles it.
      const reach = source.spacingMm.map((mm) => 1.5 + (2 * Math.max(...target.spacingMm)) / mm);
      eachDepth(source, target, (n, depth, at) => {
        if (depth.some((d, axis) => d < reach[axis]!)) return;
        assert.ok(Math.abs(volume.data[n]! - ramp(at)) < 1e-3, `${volume.data[n]} is not ${ramp(at)}`);
      });
    }),
    { numRuns: 60 },
  );
});

test('where axes run along each other the values are those of a hardly turned grid', () => {
  const order = fc.constantFrom([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0] as const);
  const flips = fc.tuple(...([0, 1, 2] as const).map(() => fc.constantFrom(1, -1)));
  const targets = fc.record({
    order,
    flips,
    like: unevenGrids(2, 9),
    shift: fc.double({ min: -3, max: 3, noNaN: true }),
  });
  fc.assert(
    fc.property(unevenGrids(2, 12), targets, fc.integer(), (source, { order, flips, like, shift }, seed) => {
      const turned = (angle: number): Geometry => {
        const by = turnedDirection(angle, -angle, angle);
        const axis = (a: number): Vec3 => {
          const [x, y, z] = source.direction[order[a]!]!.map((part) => part * flips[a]!) as [number, number, number];
          return [0, 1, 2].map((t) => by[0][t]! * x + by[1][t]! * y + by[2][t]! * z) as unknown as Vec3;
        };
        const { origin } = like;
        return { ...like, origin: [origin[0] + shift, origin[1], origin[2]], direction: [axis(0), axis(1), axis(2)] };
      };
      let state = seed;
      const noise = Float32Array.from({ length: voxelCount(source) }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
        return (state >>> 8) / 2 ** 24;
      });
      const [straight, hardly] = [0, 2e-6].map((angle) =>
        resample(createVolume(noise, source), turned(angle), { outside: -1 }),
      );
      straight!.volume.data.forEach((value, n) => {
        // A centre on a face may be out of one of them.
        if (straight!.outside[n] !== hardly!.outside[n]) return;
        assert.ok(Math.abs(value - hardly!.volume.data[n]!) < 1e-3, `${value} is not ${hardly!.volume.data[n]}`);
      });
      if (source.sliceSteps) return;
      const [columns, rows, slices] = like.size;
      const [carried, hardlyCarried] = [0, 2e-6].map((angle) => sliceMapper([noise], source, turned(angle)));
      for (let k = 0; k < slices; k++) {
        const [expected] = hardlyCarried!(k);
        carried!(k)[0]!.forEach((value, n) => {
          const voxel = k * columns * rows + n;
          if (straight!.outside[voxel] !== hardly!.outside[voxel]) return;
          assert.ok(Math.abs(value - expected![n]!) < 1e-3, `${value} is not ${expected![n]}`);
        });
      }
    }),
    { numRuns: 200 },
  );
});

test('the same grid gives the same values', () => {
  const g = centredGrid([7, 6, 5], [1, 1.3, 2], coronalDirection);
  const data = paint(g, (p) => Math.sin(p[0] * 3) + p[1] * p[2]);
  const { volume, outside } = resample(createVolume(data, g), g, { outside: -1 });
  assert.ok(volume.data.every((x, n) => Math.abs(x - data[n]!) < 1e-5));
  assert.ok(!outside.includes(1));
});

test('voxels outside the source get the outside value and are reported', () => {
  const source = centredGrid([8, 8, 8], [1, 1, 1], axialDirection);
  const target = centredGrid([16, 8, 8], [1, 1, 1], axialDirection);
  const { volume, outside } = resample(createVolume(new Int16Array(512).fill(5), source), target, { outside: -9 });
  assert.deepEqual([...volume.data.subarray(0, 16)], [-9, -9, -9, -9, 5, 5, 5, 5, 5, 5, 5, 5, -9, -9, -9, -9]);
  assert.deepEqual([...outside.subarray(0, 5)], [1, 1, 1, 1, 0]);
  assert.equal(
    outside.reduce((sum, x) => sum + x, 0),
    512,
  );
});

test('a fine stripe pattern becomes its mean on a coarse grid instead of aliasing', () => {
  for (const [count, spacing] of [
    [64, 0.5],
    [160, 0.2],
  ] as const) {
    const source = centredGrid([count, 16, 16], [spacing, 1, 1], axialDirection);
    const stripes = new Uint8Array(count * 256).map((_, n) => (n % 2) * 100);
    const target = planeGrid(source, 'axial', [2, 1, 1]);
    const { volume } = resample(createVolume(stripes, source), target, { outside: 0 });
    const row = [...volume.data.subarray(2, target.size[0] - 2)];
    assert.ok(
      row.every((x) => Math.abs(x - 50) < 4),
      `${row}`,
    );
  }
});

test('padding is not mixed into its neighbours: twins with and without it agree', () => {
  const source = centredGrid([40, 40, 12], [1, 1, 3], axialDirection);
  const isIn = (p: Vec3) => Math.hypot(p[0], p[1]) < 15;
  const air = paint(source, (p) => (isIn(p) ? 40 : -1000));
  const withAir = air.map((x, n) => (n % 97 === 0 ? -1000 : x));
  const padding = Uint8Array.from(air, (x) => (x === -1000 ? 1 : 0));
  const marked = withAir.map((x, n) => (padding[n] === 1 ? -2000 : x));
  const target = planeGrid(source, 'axial', [2, 2, 2]);
  const a = resample(createVolume(withAir, source), target, { outside: -1000 });
  const b = resample(createVolume(marked, source, padding), target, { outside: -1000 });
  assert.deepEqual(a.volume.data, b.volume.data);
  const c: Volume = createVolume(marked, source);
  const worst = resample(c, target, { outside: -1000 }).volume.data.reduce((low, x) => Math.min(low, x), 0);
  assert.equal(worst, -2000, 'without the padding mask the values are mixed');
});

test('a window maps values to 0..1 before they are mixed', () => {
  const source = centredGrid([4, 1, 1], [1, 1, 1], axialDirection);
  const target = centredGrid([2, 1, 1], [2, 1, 1], axialDirection);
  const options = { outside: 0, window: { low: 0, high: 100 } };
  const { volume } = resample(createVolume(Int16Array.from([-2000, 100, 100, 900]), source), target, options);
  // Box of width 2 (1/4, 1/2, 1/4) and half-way interpolation: 1/8, 3/8, 3/8, 1/8 with the edge repeated.
  assert.deepEqual([...volume.data], [0.5, 1]);
});

test('stored integers of two bytes are seen through a window as the same values are', () => {
  const random = new Random(5);
  const source = centredGrid([9, 7, 5], [1, 1, 2], axialDirection);
  const target = centredGrid([5, 4, 6], [1.7, 1.9, 1.6], axialDirection);
  const drawn = Array.from({ length: 9 * 7 * 5 }, () => Math.round(random.uniform(-20_000, 20_000)));
  for (const [data, low] of [
    [Int16Array.from(drawn), -15_000],
    [Uint16Array.from(drawn, (x) => x + 30_000), 15_000],
  ] as const) {
    const options = { outside: 0, window: { low, high: low + 30_000 } };
    const padding = Uint8Array.from(data, (_, n) => (n % 13 === 0 ? 1 : 0));
    for (const hidden of [undefined, padding]) {
      const of = (values: Volume['data']) =>
        resample(createVolume(values, source, hidden), target, options).volume.data;
      assert.deepEqual(of(data), of(Float32Array.from(data)));
    }
  }
});

test('labels go to the nearest voxel and are 0 outside', () => {
  const source = centredGrid([4, 1, 1], [1, 1, 1], axialDirection);
  const target = centredGrid([12, 1, 1], [0.5, 1, 1], axialDirection);
  const labels = resampleLabels(Uint8Array.from([1, 2, 3, 4]), source, target);
  assert.deepEqual([...labels], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0]);
});

test('labels on a turned grid come back to where they were', () => {
  fc.assert(
    fc.property(obliqueGrids(3, 6), (g) => {
      const labels = Uint8Array.from(paint(g, (p) => (p[0] > 0 ? 2 : 1)));
      // Half the diagonal of a fine voxel is below half the smallest source spacing, so no voxel can be missed.
      const mm = Math.min(...g.spacingMm) / 2;
      const fine = planeGrid(g, 'sagittal', [mm, mm, mm]);
      if (fine.size[0] * fine.size[1] * fine.size[2] > 100_000) return;
      assert.deepEqual(resampleLabels(resampleLabels(labels, g, fine), fine, g), labels);
    }),
    { numRuns: 50 },
  );
});

test('values carried slice by slice equal the trilinear values, 0 outside the box', () => {
  const source = centredGrid([12, 14, 16], [1, 1, 1], axialDirection);
  const target = centredGrid([9, 9, 9], [1.1, 0.9, 1.2], coronalDirection);
  const ramp: Paint = (p) => p[0] + 2 * p[1] - p[2];
  const slice = sliceMapper([paint(source, ramp), paint(source, () => 1)], source, target);
  for (let k = 0; k < 9; k++) {
    const [values, ones] = slice(k);
    for (let n = 0; n < 81; n++) {
      const at = indexToPatient(target, [n % 9, Math.floor(n / 9), k]);
      assert.ok(Math.abs(values![n]! - ramp(at)) < 1e-4);
      assert.equal(ones![n], 1);
    }
  }
  const empty = sliceMapper([paint(source, () => 1)], source, target, { low: [0, 0, 0], high: [0, 0, 0] });
  assert.ok(empty(4)[0]!.every((x) => x === 0));
});

test('the nearest voxel is that of each place by itself, whichever axes run along which', () => {
  fc.assert(
    fc.property(straightGrids(2, 9), straightGrids(2, 9), (source, target) => {
      const labels = Uint8Array.from({ length: voxelCount(source) }, (_, n) => 1 + (n % 250));
      const seen = resampleLabels(labels, source, target);
      const [columns, rows, slices] = target.size;
      for (let n = 0; n < columns * rows * slices; n++) {
        const at: Vec3 = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))];
        const index = patientToIndex(source, indexToPatient(target, at));
        // On a face, or half-way between two voxels, rounding decides.
        if (index.some((x) => Math.abs(x - Math.floor(x) - 0.5) < 1e-5)) continue;
        const [i, j, k] = index.map(Math.round) as [number, number, number];
        const isIn = [i, j, k].every((x, axis) => x >= 0 && x < source.size[axis]!);
        assert.equal(seen[n], isIn ? labels[(k * source.size[1] + j) * source.size[0] + i] : 0);
      }
    }),
    { numRuns: 100 },
  );
});

test('labels of an uneven grid go to the nearest slice, half a step beyond the outer ones', () => {
  const source = spaceBy(centredGrid([2, 2, 2], [1, 1, 2], axialDirection), [1, 1, 2.5, 1.5, 4]);
  const labels = Uint8Array.from({ length: 24 }, (_, n) => Math.floor(n / 4) + 1);
  const target = { ...source, size: [2, 2, 66] as const, sliceSteps: Array.from({ length: 66 }, (_, n) => n / 6) };
  const moved = { ...target, origin: indexToPatient(source, [0, 0, -0.45]) };
  const seen = resampleLabels(labels, source, moved);
  const places = [0, 1, 2, 4.5, 6, 10];
  for (let k = 0; k < 66; k++) {
    const at = k / 6 - 0.45;
    const distances = places.map((place) => Math.abs(place - at));
    const nearest = at > 10.5 ? 0 : distances.indexOf(Math.min(...distances)) + 1;
    assert.ok(
      seen.subarray(4 * k, 4 * k + 4).every((label) => label === nearest),
      `${seen[4 * k]} at ${at}`,
    );
  }
});

test('values carried to uneven slices are those at the same places of even ones', () => {
  fc.assert(
    fc.property(obliqueGrids(4, 12), unevenGrids(4, 12), (source, target) => {
      const field = paint(source, (p) => Math.sin(p[0]) + Math.cos(p[1] * p[2]));
      const carry = sliceMapper([field], source, target);
      for (const [k, step] of (target.sliceSteps ?? []).entries()) {
        const { sliceSteps: _, ...even } = target;
        const one = { ...even, size: [target.size[0], target.size[1], 1] as const };
        const alone = sliceMapper([field], source, { ...one, origin: indexToPatient(even, [0, 0, step]) });
        const [wanted] = alone(0);
        const [seen] = carry(k);
        assert.ok(seen?.every((value, n) => Math.abs(value - (wanted?.[n] ?? Number.NaN)) < 1e-3));
      }
    }),
    { numRuns: 60 },
  );
  const uneven = spaceBy(centredGrid([2, 2, 2], [1, 1, 1], axialDirection), [1, 2]);
  assert.throws(() => sliceMapper([new Float32Array(12)], uneven, uneven), RangeError);
});
