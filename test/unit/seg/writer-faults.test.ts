import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSeg } from '../../../server/src/seg/read.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { tiny } from '../../fixtures/tiny-seg.ts';

const oddFrames = { Rows: 3, Columns: 5 };

test('a SEG of dcmqi with frames that do not fill whole bytes is refused, by either of its names', () => {
  for (const name of [{ Manufacturer: 'QIICR' }, { ManufacturerModelName: 'https://github.com/QIICR/dcmqi' }]) {
    const seen = /DCMTK of an unknown version; .* as 3 x 5 do not/;
    refusesAtOnce(() => readSeg(tiny({ ...oddFrames, ...name })), 'seg-unsupported', seen);
  }
});

test('a SEG of dcmqi with whole bytes or a byte a pixel is read, and one of another writer whatever its size', () => {
  const fractional = { SegmentationType: 'FRACTIONAL', MaximumFractionalValue: 1, BitsAllocated: 8 };
  for (const changes of [
    { Manufacturer: 'QIICR' },
    { Manufacturer: 'QIICR', ...oddFrames, ...fractional, PixelData: new Uint8Array(30).fill(1).buffer },
    { Manufacturer: 'ANOTHER', ...oddFrames },
  ]) {
    assert.equal(readSeg(tiny(changes)).frames.length, 2);
  }
});
