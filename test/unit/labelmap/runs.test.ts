import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RunReader } from '../../../server/src/labelmap/runs.ts';

test('runs are found wherever labels lie in memory, and end with their row', () => {
  const labels = fc.array(fc.tuple(fc.constantFrom(0, 0, 0, 1, 2, 200, 255), fc.integer({ min: 1, max: 9 })), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(labels, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 7 }), (drawn, columns, offset) => {
      const flat = drawn.flatMap(([label, length]) => new Array<number>(length).fill(label));
      const whole = flat.slice(0, flat.length - (flat.length % columns));
      const bytes = new Uint8Array(offset + whole.length + 3).fill(9);
      bytes.set(whole, offset);
      const pairs = new Uint16Array(offset + whole.length + 3).fill(9);
      pairs.set(whole, offset);
      // Above 32767 two labels of a word are a negative number.
      const large = pairs.map((label) => 200 * label);
      for (const [memory, factor] of [
        [bytes, 1],
        [pairs, 1],
        [large, 200],
      ] as const) {
        const seen = new Array<number>(whole.length).fill(0);
        let last = -1;
        for (const runs = new RunReader(memory.subarray(offset, offset + whole.length), columns); runs.next(); ) {
          const { start, end } = runs;
          const label = runs.label / factor;
          assert.ok(label > 0 && end > start && start > last);
          assert.equal(Math.floor(start / columns), Math.floor((end - 1) / columns));
          const isLonger = end % columns !== 0 && whole[end] === label;
          assert.ok(!isLonger, 'a run is as long as it can be');
          last = end - 1;
          seen.fill(label, start, end);
        }
        assert.deepEqual(seen, whole);
      }
    }),
    { numRuns: 300 },
  );
});
