import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumForeground } from '../../../server/src/student/foreground.ts';

test('probabilities of one to six segments are summed up, and of one it is its own', () => {
  for (let segments = 1; segments <= 6; segments++) {
    const foreground = Array.from({ length: segments }, (_, s) => Float32Array.of(1 / 2 ** (s + 1), 0, s));
    const sums = sumForeground(foreground);
    assert.deepEqual([...sums], [1 - 1 / 2 ** segments, 0, (segments * (segments - 1)) / 2]);
    assert.equal(sums === foreground[0], segments === 1);
    assert.equal(foreground[0]![0], 0.5);
  }
});
