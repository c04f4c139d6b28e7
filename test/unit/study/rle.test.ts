import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import codecs from 'dcmjs-codecs';
import fc from 'fast-check';
import { createFrameDecoder, type EncodedFrame } from '../../../server/src/study/frame-decoder.ts';
import { decodeRle } from '../../../server/src/study/rle.mjs';

const { Context, NativeCodecs } = codecs;
const decoder = createFrameDecoder({ lanes: 1 });
after(() => decoder.close());

const attributes = (width: number, bits: 8 | 16): EncodedFrame['attributes'] => ({
  ...{ width, height: 1, bitsAllocated: bits, bitsStored: bits, samplesPerPixel: 1, pixelRepresentation: 0 },
  ...{ planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2' },
});

const decode = (bytes: Uint8Array, width: number, bitsAllocated: 8 | 16) =>
  decoder.decode({ codec: 'decodeRle', attributes: attributes(width, bitsAllocated), bytes }, (samples) => [
    ...samples,
  ]);

/** A frame of these segments. */
function frame(...segments: readonly (readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(64 + segments.reduce((sum, { length }) => sum + length, 0));
  const header = new DataView(bytes.buffer);
  header.setUint32(0, segments.length, true);
  let at = 64;
  segments.forEach((segment, n) => {
    header.setUint32(4 + 4 * n, at, true);
    bytes.set(segment, at);
    at += segment.length;
  });
  return bytes;
}

test('literal runs, repeated runs and no operation are unpacked (PS3.5 G.3.1)', async () => {
  // Three bytes as they are, nothing, and 0x42 four times.
  assert.deepEqual(await decode(frame([2, 1, 2, 3, 128, 253, 0x42]), 7, 8), [1, 2, 3, 0x42, 0x42, 0x42, 0x42]);
});

test('the first segment holds the most significant bytes, and bytes behind the last sample are padding', async () => {
  assert.deepEqual(await decode(frame([1, 0x12, 0x56, 0], [1, 0x34, 0x78, 0]), 2, 16), [0x34, 0x12, 0x78, 0x56]);
});

test('what another encoder packs comes back, whatever the samples are', async () => {
  await NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false });
  const runs = fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 300 })), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(runs, async (parts) => {
      const bytes = parts.flatMap(([value, count]) =>
        Array.from({ length: 2 * count }, (_, n) => (n % 3 ? value : n & 255)),
      );
      const samples = Uint8Array.from(bytes);
      const width = samples.length / 2;
      const encoded = NativeCodecs.encodeRle(new Context({ ...attributes(width, 16), decodedBuffer: samples }), {});
      assert.deepEqual(await decode(encoded.getEncodedBuffer() ?? new Uint8Array(), width, 16), bytes);
    }),
    { numRuns: 50 },
  );
});

test('the frames of an object are unpacked one behind the other, at whatever address', () => {
  const packets = (bytes: readonly number[]) => bytes.flatMap((byte) => [0, byte]);
  for (const samples of [1, 2, 3, 4, 5, 9, 64]) {
    const high = Array.from({ length: samples }, (_, n) => (7 * n + 129) & 255);
    const low = Array.from({ length: samples }, (_, n) => (31 * n + 250) & 255);
    const object = new Uint8Array(6 * samples + 3);
    for (const at of [0, 1, 2 * samples]) {
      const output = object.subarray(at, at + 2 * samples);
      assert.equal(decodeRle(frame(packets(high), packets(low)), output, { bitsAllocated: 16 }), 2 * samples);
      assert.deepEqual(
        [...output],
        high.flatMap((byte, n) => [low[n], byte]),
      );
    }
    assert.equal(object[4 * samples], 0);
  }
});

test('a header that does not fit and a segment that ends early are errors, not zeros', async () => {
  await assert.rejects(decode(frame([0, 1]), 1, 16), /states 1 segments/);
  await assert.rejects(decode(new Uint8Array(10), 1, 8), /states 0 segments/);
  await assert.rejects(decode(frame([2, 1, 2]), 3, 8), /ends before its samples/);
  await assert.rejects(decode(frame([254]), 3, 8), /ends within a run/);
  const outside = frame([0, 1]);
  new DataView(outside.buffer).setUint32(4, 1000, true);
  await assert.rejects(decode(outside, 1, 8), /lies outside|ends before/);
});
