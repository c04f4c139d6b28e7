import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../server/src/engine/random.ts';
import { decideLabels } from '../../../server/src/labelmap/decide.ts';
import { keepDoubt, mapDoubt } from '../../../server/src/student/doubt.ts';
import { sumForeground } from '../../../server/src/student/foreground.ts';
import { carryDecided } from '../../../server/src/volume/carry.ts';
import { type Geometry, indexToPatient, voxelCount } from '../../../server/src/volume/geometry.ts';
import { boxAround } from '../../../server/src/volume/interpolate.ts';
import { sliceMapper } from '../../../server/src/volume/resample.ts';
import { spaceBy } from '../../fixtures/seg-request.ts';
import { straightGrids } from './grids.ts';

/** Probabilities of so many segments, each a ball with a blurred rim; some reach the edge of the grid. */
function balls(grid: Geometry, segments: number, seed: number): Float32Array[] {
  const random = new Random(seed);
  const fields = Array.from({ length: segments }, () => new Float32Array(voxelCount(grid)));
  const [columns, rows, slices] = grid.size;
  const centres = fields.map(() => [8 * random.next() - 4, 8 * random.next() - 4, 8 * random.next() - 4] as const);
  for (let n = 0; n < columns * rows * slices; n++) {
    const at = indexToPatient(grid, [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))]);
    const near = centres.map((centre) => Math.exp(2 * (5 - Math.hypot(...at.map((x, t) => x - centre[t]!)))));
    const all = 1 + near.reduce((sum, x) => sum + x, 0);
    for (const [s, field] of fields.entries()) field[n] = near[s]! / all;
  }
  return fields;
}

test('labels carried by cells are those of every voxel decided by itself, and so is doubt', () => {
  let certain = 0;
  fc.assert(
    fc.property(
      straightGrids(4, 14),
      straightGrids(3, 16),
      fc.integer({ min: 1, max: 3 }),
      fc.integer(),
      (source, target, segments, seed) => {
        const fields = balls(source, segments, seed);
        const box = boxAround(source.size, sumForeground(fields), 0.5 - 1e-6);
        if (box === null) return;
        const uneven = spaceBy(
          target,
          Array.from({ length: target.size[2] - 1 }, (_, n) => 1 + (n % 2)),
        );
        for (const to of [target, uneven]) {
          const pixels = to.size[0] * to.size[1];
          const codes = new Uint8Array(voxelCount(source));
          decideLabels(fields, codes);
          let looked = 0;
          const decide: typeof decideLabels = (values, out, from, end) => {
            looked += end! - from!;
            decideLabels(values, out, from, end);
          };
          const carried = carryDecided({ fields, codes, decide }, source, to, box);
          certain += voxelCount(to) - looked;
          const expected = new Uint8Array(voxelCount(to));
          const valuesOf = sliceMapper(fields, source, to, box);
          for (let k = 0; k < to.size[2]; k++)
            decideLabels(valuesOf(k), expected.subarray(k * pixels, (k + 1) * pixels));
          assert.deepEqual(carried, expected);

          const doubt = keepDoubt(fields[0]!, source);
          const inSteps = fields[0]!.map((entropy) => Math.round(255 * entropy) / 255);
          const entropyOf = sliceMapper([inSteps], source, to);
          const mapped = mapDoubt(doubt, to);
          // Backwards: nothing may hang on the slice before.
          for (let k = to.size[2] - 1; k >= 0; k--) {
            const hundredths = Uint8Array.from(entropyOf(k)[0]!, (value) => 100 * value + 0.5);
            assert.deepEqual(mapped(k), hundredths);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(certain > 0);
});
