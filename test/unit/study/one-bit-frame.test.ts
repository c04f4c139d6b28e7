import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { readSeg } from '../../../server/src/seg/read.ts';
import { writeSeg } from '../../../server/src/seg/write.ts';
import { cutFrame, openOneBitFrames } from '../../../server/src/study/one-bit-frame.ts';
import { makeBall } from '../../fixtures/make-ball.ts';
import { makeSeries } from '../../fixtures/make-series.ts';
import { randomSegRequest } from '../../fixtures/seg-request.ts';

test('a frame of one-bit pixels is cut from the first bit of a byte on, whatever its size', () => {
  const random = Random.for(1, 'one-bit frames');
  for (let n = 0; n < 200; n++) {
    const [frames, pixelsOfFrame] = [1 + random.int(5), 1 + random.int(70)];
    const pixels = Array.from({ length: frames * pixelsOfFrame }, () => random.int(2));
    const bits = new Uint8Array(Math.ceil(pixels.length / 8));
    pixels.forEach((pixel, at) => {
      bits[at >> 3] = (bits[at >> 3] ?? 0) | (pixel << (at & 7));
    });
    for (let number = 1; number <= frames; number++) {
      const cut = cutFrame({ frames, pixelsOfFrame, bits }, number);
      assert.ok(cut);
      const own = Array.from({ length: 8 * cut.length }, (_, at) => ((cut[at >> 3] ?? 0) >> (at & 7)) & 1);
      const padding = Array.from({ length: own.length - pixelsOfFrame }, () => 0);
      assert.deepEqual(own, [...pixels.slice((number - 1) * pixelsOfFrame, number * pixelsOfFrame), ...padding]);
    }
    assert.deepEqual(
      [cutFrame({ frames, pixelsOfFrame, bits }, 0), cutFrame({ frames, pixelsOfFrame, bits }, frames + 1)],
      [null, null],
    );
  }
});

test('a SEG is opened by its rows, columns and frames; other pixels and too few are refused', () => {
  const { bytes } = writeSeg(randomSegRequest(3, [9, 5, 4]));
  const seg = openOneBitFrames(bytes);
  const { frames, pixelsOfFrame, bits } = readSegForSizes(bytes);
  assert.deepEqual([seg.frames, seg.pixelsOfFrame], [frames, pixelsOfFrame]);
  assert.deepEqual(seg.bits.subarray(0, bits.length), bits);
  const [slice] = makeSeries(makeBall()).files;
  const refuses = (file: Uint8Array, message: RegExp) =>
    assert.throws(
      () => openOneBitFrames(file),
      (error) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, 'instance-unreadable');
        assert.match(error.message, message);
        return true;
      },
    );
  refuses(slice ?? assert.fail(), /one-bit pixels/);
  const more = Buffer.from(bytes);
  // Rows (0028,0010) US: one frame now needs more than all hold.
  const rows = more.indexOf(Buffer.from([0x28, 0x00, 0x10, 0x00, 0x55, 0x53, 0x02, 0x00]));
  more.writeUInt16LE(60_000, rows + 8);
  refuses(more, /fewer pixels/);
});

function readSegForSizes(bytes: Uint8Array) {
  const { frames, rows, columns, bits } = readSeg(bytes);
  return { frames: frames.length, pixelsOfFrame: rows * columns, bits };
}
