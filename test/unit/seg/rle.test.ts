import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { encodeRle } from '../../../server/src/seg/rle.ts';

/** PackBits as PS3.5 G.3.2 tells it, one row after another, each with its own runs. */
function expand(bytes: Uint8Array, columns: number, rows: number): number[] {
  const out: number[] = [];
  let at = 64;
  for (let row = 1; row <= rows; row++) {
    while (out.length < row * columns) {
      const control = ((bytes[at++] ?? 0) << 24) >> 24;
      assert.notEqual(control, -128);
      if (control >= 0) for (let n = 0; n <= control; n++) out.push(bytes[at++] ?? 0);
      else out.push(...new Array<number>(1 - control).fill(bytes[at++] ?? 0));
    }
    assert.equal(out.length, row * columns, 'no run goes on into the next row');
  }
  assert.ok(bytes.length - at <= 1, 'nothing but padding behind the last row');
  return out;
}

test('run lengths of any frame expand to it, row by row, in an even number of bytes', () => {
  const random = Random.for(1, 'rle');
  for (let n = 0; n < 300; n++) {
    const [columns, rows, values] = [1 + random.int(400), 1 + random.int(6), 1 + random.int(5)];
    const frame = Uint8Array.from({ length: columns * rows }, () => (random.next() < 0.7 ? 0 : random.int(values)));
    const bytes = encodeRle(frame, columns);
    assert.equal(bytes.length % 2, 0);
    assert.deepEqual([...new Uint32Array(bytes.slice(0, 8).buffer)], [1, 64], 'one plane behind the header');
    assert.deepEqual(expand(bytes, columns, rows), [...frame]);
  }
});
