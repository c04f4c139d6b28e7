import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeSegments } from '../../../server/src/seg/place.ts';
import { readSeg } from '../../../server/src/seg/read.ts';
import { encodeRle } from '../../../server/src/seg/rle.ts';
import { writeFractionalSeg, writeSeg } from '../../../server/src/seg/write.ts';
import { encodeFile } from '../../fixtures/make-series.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { randomSegRequest } from '../../fixtures/seg-request.ts';
import { tiny, tinySeg } from '../../fixtures/tiny-seg.ts';

const labelmapStorage = '1.2.840.10008.5.1.4.1.1.66.7';
const encodings = ['native', 'rle', 'deflated'] as const;
const request = randomSegRequest(41, [23, 17, 6]);
const { geometry, data } = request.labelmap;
const classes = new Map([1, 2, 3].map((number) => [number, number]));
const place = (bytes: Uint8Array) => placeSegments(readSeg(bytes), { classes, image: geometry, maxVoxels: 1e6 });
const refuses = (bytes: Uint8Array, code: string, message: RegExp) =>
  refusesAtOnce(() => readSeg(bytes), code, message);
const words = (...values: number[]) => Uint16Array.from(values).buffer;

test('a LABELMAP comes back voxel for voxel, however its pixels are packed', () => {
  for (const pixels of encodings)
    assert.deepEqual(place(writeSeg({ ...request, encoding: { type: 'LABELMAP', pixels } }).bytes), data, pixels);
});

test('a frame of a LABELMAP that shows nothing is known to be empty', () => {
  const labelmap = { ...request.labelmap, data: new Uint8Array(data.length) };
  const seg = readSeg(writeSeg({ ...request, labelmap, encoding: { type: 'LABELMAP', pixels: 'native' } }).bytes);
  assert.deepEqual([seg.frames.length, seg.bits.some((byte) => byte !== 0)], [geometry.size[2], false]);
  assert.deepEqual(
    seg.segments.map(({ number }) => number),
    [1, 2, 3],
    'the background is no segment',
  );
});

test('a share counts from one half on', () => {
  const pixels = geometry.size[0] * geometry.size[1];
  for (const encoding of encodings) {
    const { bytes } = writeFractionalSeg({
      ...request,
      ...{ geometry, segments: request.labelmap.segments, pixels: encoding, algorithmType: 'AUTOMATIC' },
      probabilitiesOf: (k) =>
        [1, 2, 3].map((number) =>
          Float32Array.from(data.subarray(k * pixels, (k + 1) * pixels), (label) => (label === number ? 0.502 : 0.498)),
        ),
    });
    assert.deepEqual(place(bytes), data, encoding);
  }
  const shares = Uint8Array.from([49, 50, 100, ...Array(29).fill(0)]);
  const hundredths = { SegmentationType: 'FRACTIONAL', BitsAllocated: 8, MaximumFractionalValue: 100 };
  assert.deepEqual(readSeg(tiny({ ...hundredths, PixelData: shares.buffer })).bits, Uint8Array.of(6, 0, 0, 0));
});

/** Two frames of 16 pixels: 0 is background, 300 described. */
const wide = (changes: Readonly<Record<string, unknown>>) =>
  tiny({
    SOPClassUID: labelmapStorage,
    SegmentationType: 'LABELMAP',
    BitsAllocated: 16,
    SegmentSequence: [
      { SegmentNumber: 0, SegmentLabel: 'background' },
      { SegmentNumber: 300, SegmentLabel: 'three hundred' },
    ],
    PixelData: words(300, 0, 300, ...Array(29).fill(0)),
    ...changes,
  });

test('a LABELMAP may have 16 bits, numbers with gaps, and another background', () => {
  const seg = readSeg(wide({}));
  assert.deepEqual(
    seg.frames.map(({ segmentNumber, position }) => [segmentNumber, position[2]]),
    [
      [300, 0],
      [300, 2],
    ],
  );
  assert.deepEqual(seg.bits, Uint8Array.of(5, 0, 0, 0));
  const turned = readSeg(
    wide({
      PixelPaddingValue: 300,
      SegmentSequence: [{ SegmentNumber: 7, SegmentLabel: 'seven' }],
      PixelData: words(300, 7, ...Array(30).fill(300)),
    }),
  );
  assert.deepEqual([turned.segments.map(({ number }) => number), turned.bits[0]], [[7], 2]);
});

for (const [name, bytes, code, message] of [
  [
    'a LABELMAP shows a segment that nobody described',
    wide({ PixelData: words(9, ...Array(31).fill(0)) }),
    'instance-unreadable',
    /Frame 1 .*segment 9.*not described/,
  ],
  [
    'a LABELMAP describes its background alone',
    wide({ SegmentSequence: [{ SegmentNumber: 0, SegmentLabel: 'b' }] }),
    'instance-unreadable',
    /SegmentSequence/,
  ],
  ['a LABELMAP has too few pixels', wide({ PixelData: words(1, 2) }), 'instance-unreadable', /4 bytes.*64 are due/],
  ['a LABELMAP has single bits', wide({ BitsAllocated: 1 }), 'instance-unreadable', /LABELMAP with BitsAllocated 1/],
  [
    'shares have no MaximumFractionalValue',
    tiny({ SegmentationType: 'FRACTIONAL', BitsAllocated: 8, PixelData: new Uint8Array(32).buffer }),
    'instance-unreadable',
    /MaximumFractionalValue/,
  ],
  [
    'shares are single bits',
    tiny({ SegmentationType: 'FRACTIONAL' }),
    'instance-unreadable',
    /FRACTIONAL with BitsAllocated 1/,
  ],
] as const) {
  test(`refused with the reason: ${name}`, () => refuses(bytes, code, message));
}

/** A BINARY SEG of two frames in run lengths, as writers that do not ask the standard pack them. */
const runs = (rows: number, frames: readonly Uint8Array[], columns: number) =>
  encodeFile(
    { ...tinySeg, Rows: rows, Columns: 4, PixelData: frames.map((frame) => encodeRle(frame, columns).slice().buffer) },
    '1.2.840.10008.1.2.5',
  );

test('single bits in run lengths are read, eight pixels a byte or a byte a pixel', () => {
  const [one, two] = [Uint8Array.of(0b1010_0001, 0xff), Uint8Array.of(0, 0b1000_0000)];
  const pixelsOf = (frame: Uint8Array) =>
    Uint8Array.from({ length: 16 }, (_, n) => ((frame[n >> 3] ?? 0) >> (n & 7)) & 1);
  const expected = Uint8Array.of(...one, ...two);
  assert.deepEqual(readSeg(runs(4, [one, two], 2)).bits, expected);
  assert.deepEqual(readSeg(runs(4, [pixelsOf(one), pixelsOf(two)], 4)).bits, expected);
  // Twelve pixels a frame: the second one begins within a byte.
  const odd = [Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)];
  assert.deepEqual(readSeg(runs(3, odd, 4)).bits, Uint8Array.of(0b0000_0001, 0b0011_1000, 0));
  const packedOdd = [Uint8Array.of(1, 8), Uint8Array.of(3, 0)];
  refuses(runs(3, packedOdd, 2), 'seg-unsupported', /12 pixels do not fill whole bytes/);
  const cutOff = pixelsOf(one).subarray(0, 8);
  refuses(runs(4, [cutOff, cutOff], 4), 'instance-unreadable', /Frame 1 .*does not decode/);
  refuses(runs(400, [one, two], 2), 'instance-unreadable', /Frame 1 .*does not decode/);
});

test('run lengths that are damaged, or promise more than they can hold, are refused', () => {
  const { bytes } = writeSeg({ ...request, encoding: { type: 'LABELMAP', pixels: 'rle' } });
  const damaged = Uint8Array.from(bytes);
  damaged.fill(0x7f, damaged.length - 40, damaged.length - 8);
  assert.throws(() => readSeg(damaged), { code: 'instance-unreadable' });
});
