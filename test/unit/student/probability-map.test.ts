import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { decideLabels } from '../../../server/src/labelmap/decide.ts';
import { decideVolume } from '../../../server/src/student/decide-volume.ts';
import { sumForeground } from '../../../server/src/student/foreground.ts';
import { mapProbabilities } from '../../../server/src/student/probability-map.ts';
import { randomGeometry } from '../../fixtures/seg-request.ts';

test('what is decided from the mapped probabilities is the mask, and nothing is where the network gave nothing', () => {
  const random = Random.for(3, 'map');
  const source = randomGeometry(random, [22, 18, 8]);
  const grid = {
    ...source,
    size: [11, 9, 8] as const,
    spacingMm: [2 * source.spacingMm[0], 2 * source.spacingMm[1], source.spacingMm[2]] as const,
  };
  const foreground = [1, 2].map((number) =>
    Float32Array.from({ length: 11 * 9 * 8 }, (_, n) => (n % 3 === number ? random.uniform(0, 1) : 0)),
  );
  const answer = { foreground, anySegment: sumForeground(foreground) };
  const wanted = decideVolume(answer, grid, source, []);
  assert.ok(wanted.includes(1) && wanted.includes(2));
  const probabilitiesOf = mapProbabilities(answer, grid, source);
  const labels = new Uint8Array(22 * 18 * 8);
  for (let k = 0; k < 8; k++) decideLabels(probabilitiesOf(k), labels.subarray(k * 22 * 18));
  assert.deepEqual(labels, wanted);
  const zero = new Float32Array(11 * 9 * 8);
  const nothing = mapProbabilities({ foreground: [zero, zero], anySegment: zero }, grid, source)(4);
  assert.ok(nothing.every((values) => values.length === 22 * 18 && values.every((value) => value === 0)));
});
