import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCases } from '../../../server/src/round/compare-cases.ts';
import type { LabelledVolume } from '../../../server/src/round/labelled-volume.ts';
import type { ServedMask } from '../../../server/src/round/measure.ts';
import { axialDirection, centredGrid } from '../volume/grids.ts';

const grid = centredGrid([8, 8, 2], [2, 2, 2], axialDirection);
const voxels = 128;
/** Twenty voxels of truth. */
const judged: LabelledVolume = {
  grid,
  image: new Float32Array(voxels),
  label: new Uint8Array(voxels).fill(1, 0, 20),
  known: new Uint8Array(voxels).fill(1),
};
/** Weights tell how many voxels of the truth they find. */
const serve = async (weights: Float32Array): Promise<ServedMask> => {
  const found = weights[0]!;
  return {
    labels: new Uint8Array(voxels).fill(1, 0, found),
    overlaps: [{ a: found, b: 20, both: Math.min(found, 20) }],
  };
};
const gate = { epsilon: 0.005, margin: 0.01, segmentEpsilon: 0.02, hausdorffMm: 2, firstLook: 4 };
const segments = [{ label: 'organ' }] as never;
const blobs = { put: async () => '0'.repeat(64) };

/** @returns the subjects that were asked. */
async function asked(inService: Float32Array, candidate: Float32Array): Promise<readonly string[]> {
  const judges = [
    ...Array.from({ length: 7 }, (_, n) => ({ subject: `base-${n}`, set: 'base' as const, judged: () => judged })),
    { subject: 'held-out-1', set: 'held-out' as const, judged: () => judged },
  ];
  const shares: number[] = [];
  const versions = { inService, candidate };
  const cases = await compareCases({ serve }, judges, { gate, segments }, versions, blobs, (share) =>
    shares.push(share),
  );
  assert.equal(shares.at(-1), 1);
  return cases.map(({ subject }) => subject);
}

const base = (count: number) => Array.from({ length: count }, (_, n) => `base-${n}`);

test('what the first subjects refuse is asked of no more of them, but of the patients', async () => {
  assert.deepEqual(await asked(Float32Array.of(18), Float32Array.of(12)), [...base(4), 'held-out-1']);
  const same = Float32Array.of(18);
  assert.deepEqual(await asked(same, same), [...base(4), 'held-out-1'], 'the version in service itself');
});

test('what they let pass is asked of all', async () => {
  assert.deepEqual(await asked(Float32Array.of(12), Float32Array.of(18)), [...base(7), 'held-out-1']);
  assert.deepEqual(await asked(Float32Array.of(18), Float32Array.of(18)), [...base(7), 'held-out-1'], 'as good');
});
