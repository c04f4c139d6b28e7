import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../server/src/engine/random.ts';
import { addWindow, cutWindow, finishBlend, placeWindows, startBlend } from '../../../server/src/student/windows.ts';
import type { Vec3 } from '../../../server/src/volume/geometry.ts';

const voxelsOf = (size: Vec3): number => size[0] * size[1] * size[2];
const noise = (count: number): Float32Array => {
  const random = new Random(3);
  return Float32Array.from({ length: count }, () => random.next());
};

/** Sizes with a window: smaller, equal, larger, odd, and thinner than a window in one direction only. */
const grids: readonly (readonly [Vec3, Vec3])[] = [
  [
    [5, 9, 3],
    [16, 16, 16],
  ],
  [
    [16, 32, 16],
    [16, 32, 16],
  ],
  [
    [41, 37, 33],
    [16, 16, 16],
  ],
  [
    [50, 7, 17],
    [16, 32, 16],
  ],
  [
    [1, 1, 1],
    [16, 16, 16],
  ],
];

describe('windows', () => {
  it('hold every voxel, stay on a grid that is large enough, and overlap as much as was asked for', () => {
    const side = fc.integer({ min: 1, max: 120 });
    const length = fc.constantFrom(16, 32, 48);
    const overlap = fc.constantFrom(0, 0.25, 0.5, 0.75);
    fc.assert(
      fc.property(side, length, overlap, (extent, window, share) => {
        const starts = placeWindows([extent, 1, 1], [window, 16, 16], share).map(([i]) => i);
        const [first, last] = [starts[0]!, starts.at(-1)!];
        if (extent <= window) {
          const [before, after] = [-first, first + window - extent];
          return starts.length === 1 && before >= 0 && (after === before || after === before - 1);
        }
        const steps = starts.slice(1).map((start, n) => start - starts[n]!);
        // Even spreading rounds to whole voxels, which may cost one of the overlap.
        const isOverlapping = steps.every((step) => step > 0 && step <= Math.floor(window * (1 - share)) + 1);
        return first === 0 && last + window === extent && isOverlapping;
      }),
      { numRuns: 300 },
    );
  });

  it('refuse an overlap that would never move on', () => {
    for (const overlap of [1, -0.5, Number.NaN])
      assert.throws(() => placeWindows([40, 40, 40], [16, 16, 16], overlap), RangeError);
  });

  it('come slice by slice', () => {
    assert.deepEqual(placeWindows([24, 16, 24], [16, 16, 16], 0.5), [
      [0, 0, 0],
      [8, 0, 0],
      [0, 0, 8],
      [8, 0, 8],
    ]);
  });

  it('show the grid mirrored in its faces, as often as it takes', () => {
    const line = new Float32Array(10);
    cutWindow(Float32Array.of(10, 20, 30), [3, 1, 1], [-4, 0, 0], [10, 1, 1], line);
    assert.deepEqual([...line], [30, 30, 20, 10, 10, 20, 30, 30, 20, 10]);
    const column = new Float32Array(4);
    cutWindow(Float32Array.of(1, 2), [1, 2, 1], [0, -1, 0], [1, 4, 1], column);
    assert.deepEqual([...column], [1, 1, 2, 2]);
    const depth = new Float32Array(4);
    cutWindow(Float32Array.of(1, 2), [1, 1, 2], [0, 0, -1], [1, 1, 4], depth);
    assert.deepEqual([...depth], [1, 1, 2, 2]);
  });

  it('show the voxels of the grid where they lie on it', () => {
    const size = [20, 18, 17] as const;
    const image = noise(voxelsOf(size));
    const out = new Float32Array(16 ** 3);
    cutWindow(image, size, [4, 2, 1], [16, 16, 16], out);
    for (let k = 0; k < 16; k++)
      for (let j = 0; j < 16; j++)
        for (let i = 0; i < 16; i++)
          assert.equal(out[(k * 16 + j) * 16 + i], image[((k + 1) * 18 + j + 2) * 20 + i + 4]);
  });
});

describe('a blend', () => {
  it('weighs every voxel by the Gaussians of the windows that hold it', () => {
    const [size, window] = [
      [23, 16, 5],
      [16, 16, 16],
    ] as const;
    const blend = startBlend(size, window, 0);
    const starts = placeWindows(size, window, 0.5);
    for (const start of starts) addWindow(blend, start, new Float32Array(0));
    const along = (place: number): number => (place < 0 || place > 15 ? 0 : Math.exp(-0.5 * ((place - 7.5) / 2) ** 2));
    for (let n = 0; n < blend.weight.length; n++) {
      const voxel = [n % 23, Math.floor(n / 23) % 16, Math.floor(n / (23 * 16))];
      const expected = starts.reduce(
        (sum, start) => sum + start.reduce((product, first, axis) => product * along(voxel[axis]! - first), 1),
        0,
      );
      assert.ok(expected > 0 && Math.abs(blend.weight[n]! / expected - 1) < 1e-6, `voxel ${voxel}`);
    }
  });

  for (const [size, window] of grids) {
    it(`of windows of ${window} gives back what they show on ${size} voxels, without seams`, () => {
      const image = noise(2 * voxelsOf(size));
      const fields = [image.subarray(0, voxelsOf(size)), image.subarray(voxelsOf(size))];
      const blend = startBlend(size, window, 2);
      for (const overlap of [0.5, 0.2]) {
        for (const start of placeWindows(size, window, overlap)) {
          const shown = new Float32Array(2 * voxelsOf(window));
          for (const [f, field] of fields.entries())
            cutWindow(field, size, start, window, shown.subarray(f * voxelsOf(window), (f + 1) * voxelsOf(window)));
          addWindow(blend, start, shown);
        }
      }
      finishBlend(blend);
      for (const [f, field] of fields.entries()) {
        const worst = field.reduce((most, x, n) => Math.max(most, Math.abs(x - blend.fields[f]![n]!)), 0);
        // Sums of at most 64 float32 terms.
        assert.ok(worst < 1e-6, `field ${f} differs by ${worst}`);
      }
    });
  }

  it('leaves a voxel that no window held at 0', () => {
    const blend = startBlend([20, 16, 16], [16, 16, 16], 1);
    addWindow(blend, [0, 0, 0], new Float32Array(16 ** 3).fill(1));
    finishBlend(blend);
    const row = [...blend.fields[0]!.subarray(0, 20)].map((x) => Math.round(x * 1e6) / 1e6);
    assert.deepEqual(
      row,
      Array.from({ length: 20 }, (_, i) => (i < 16 ? 1 : 0)),
    );
  });
});
