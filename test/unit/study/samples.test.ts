import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasEndMarker, readJpegPrecision } from '../../../server/src/study/codestream.ts';
import type { FrameFormat } from '../../../server/src/study/image-object.ts';
import { maskToStoredBits, type StoredValues, storedRange } from '../../../server/src/study/samples.ts';

const format = (signed: boolean): FrameFormat => ({
  rows: 1,
  columns: 4,
  bitsAllocated: 16,
  bitsStored: 12,
  highBit: 11,
  signed,
  photometricInterpretation: 'MONOCHROME2',
});

const stored = (samples: StoredValues, signed: boolean, overshoots: boolean) =>
  maskToStoredBits(samples, format(signed), format(signed), undefined, overshoots).values;

test('what a lossy decoder leaves beyond BitsStored is brought to the end, not wrapped to the other one', () => {
  const unsigned = Uint16Array.of(0, 4095, 4096, 4164);
  assert.deepEqual(stored(unsigned.slice(), false, true), Uint16Array.of(0, 4095, 4095, 4095));
  assert.deepEqual(stored(unsigned.slice(), false, false), Uint16Array.of(0, 4095, 0, 68), 'overlays are taken away');
  const signed = Int16Array.of(-2050, -1, 2047, 2049);
  assert.deepEqual(stored(signed.slice(), true, true), Int16Array.of(-2048, -1, 2047, 2047));
  // Words whose sign nobody copied into the upper bits.
  assert.deepEqual(stored(Int16Array.of(1, 2047, 4095, 2096), true, true), Int16Array.of(1, 2047, -1, -2000));
});

test('the precision of a JPEG frame stands in its frame header', () => {
  const table = [0xff, 0xc4, 0, 4, 9, 9];
  assert.equal(readJpegPrecision(Uint8Array.of(0xff, 0xd8, ...table, 0xff, 0xc1, 0, 11, 12, 0, 1)), 12);
  assert.equal(readJpegPrecision(Uint8Array.of(0xff, 0xd8, 0xff, 0xff, 0xf7, 0, 11, 16, 0, 1)), 16);
  assert.equal(readJpegPrecision(Uint8Array.of(0xff, 0xd8, ...table, 0xff, 0xd9)), undefined);
  assert.equal(readJpegPrecision(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0)), undefined);
});

test('a frame ends with its end marker, whatever byte makes its length even', () => {
  const ends = (...bytes: readonly number[]) => hasEndMarker(Uint8Array.of(0xff, 0xd8, ...bytes));
  assert.ok(ends(1, 2, 0xff, 0xd9));
  assert.ok(ends(1, 0xff, 0xd9, 0));
  assert.ok(ends(1, 0xff, 0xd9, 0xff));
  assert.ok(ends(1, 0xff, 0xd9, 0xc8));
  assert.ok(!ends(1, 2, 0xff, 0xd9, 0xc8), 'nothing is to be made even here');
  assert.ok(ends(1, 2, 0xff, 0xd9, 0xff, 0));
  assert.ok(!ends(0xff, 0xd9, 7, 0xc8));
  assert.ok(!ends(1, 2, 3, 4));
});

test('the range of any values, at any address, is that of their least and greatest', () => {
  const values = fc.oneof(
    fc.uint16Array({ minLength: 3, maxLength: 60 }),
    fc.int16Array({ minLength: 3, maxLength: 60 }),
    fc.int16Array({ min: -3, max: 3, minLength: 3, maxLength: 60 }),
    fc.array(fc.constantFrom(-32768, -1, 0, 32767), { minLength: 3, maxLength: 60 }).map((all) => Int16Array.from(all)),
  );
  fc.assert(
    fc.property(values, fc.nat(2), (all, from) => {
      const some = (all as StoredValues).subarray(from);
      assert.deepEqual(storedRange(some, undefined), [Math.min(...some), Math.max(...some)]);
    }),
    { numRuns: 2000 },
  );
});

test('the range holds the least and the greatest value, wherever they are', () => {
  assert.deepEqual(storedRange(new Int16Array(0), undefined), [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  for (let length = 1; length <= 11; length++) {
    for (let at = 0; at < length; at++) {
      const value = (peak: number) => (_: unknown, n: number) => (n === at ? peak : 7);
      const least = length > 1 ? 7 : 65535;
      assert.deepEqual(storedRange(Uint16Array.from({ length }, value(65535)), undefined), [least, 65535]);
      const most = length > 1 ? 7 : -32768;
      assert.deepEqual(storedRange(Int16Array.from({ length }, value(-32768)), undefined), [-32768, most]);
    }
  }
});
