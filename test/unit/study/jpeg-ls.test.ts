import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import codecs from 'dcmjs-codecs';
import fc from 'fast-check';
import { createFrameDecoder, type EncodedFrame } from '../../../server/src/study/frame-decoder.ts';

const { Context, NativeCodecs } = codecs;
const decoder = createFrameDecoder({ lanes: 1 });
before(() => NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false }));
after(() => decoder.close());

type Attributes = EncodedFrame['attributes'];

const attributesOf = (width: number, height: number, bitsAllocated: 8 | 16, bitsStored: number): Attributes => ({
  ...{ width, height, bitsAllocated, bitsStored, samplesPerPixel: 1, pixelRepresentation: 0 },
  ...{ planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2' },
});

function encode(attributes: Attributes, samples: Uint8Array, allowedError = 0): Uint8Array {
  const options = allowedError > 0 ? { lossy: true, allowedError } : { lossy: false };
  const context = new Context({ ...attributes, decodedBuffer: samples });
  return Uint8Array.from(NativeCodecs.encodeJpegLs(context, options).getEncodedBuffer() ?? []);
}

const decode = (attributes: Attributes, bytes: Uint8Array) =>
  decoder.decode({ codec: 'decodeJpegLs', attributes, bytes }, (samples) => Uint8Array.from(samples));

/** Values of so many bits, in the words that are allocated for them. */
function samplesOf(values: readonly number[], bitsAllocated: 8 | 16, bitsStored: number): Uint8Array {
  const within = values.map((value) => value & (2 ** bitsStored - 1));
  return new Uint8Array(bitsAllocated === 8 ? Uint8Array.from(within) : Uint16Array.from(within).buffer);
}

test('a frame comes back bit for bit as another build of the codec reads it, also what was encoded with an error', async () => {
  const shape = fc.record({
    width: fc.integer({ min: 1, max: 24 }),
    height: fc.integer({ min: 1, max: 24 }),
    bits: fc.integer({ min: 2, max: 16 }),
    allowedError: fc.integer({ min: 0, max: 3 }),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 2 }),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ width, height, bits, allowedError, seed }) => {
      const bitsAllocated = bits <= 8 ? 8 : 16;
      const attributes = attributesOf(width, height, bitsAllocated, bits);
      let state = seed;
      const values = Array.from({ length: width * height }, () => {
        state = (state * 48271) % 2147483647;
        return state >> 5;
      });
      // An error near the whole range cannot be encoded.
      const error = bits < 6 ? 0 : allowedError;
      const bytes = encode(attributes, samplesOf(values, bitsAllocated, bits), error);
      const other = NativeCodecs.decodeJpegLs(new Context({ ...attributes, encodedBuffer: bytes }), {});
      const found = await decode(attributes, bytes);
      assert.deepEqual(found, Uint8Array.from(other.getDecodedBuffer() ?? []));
      // The byte that makes the length even.
      assert.deepEqual(await decode(attributes, Uint8Array.from([...bytes, 0x5a])), found);
      if (error === 0) assert.deepEqual(found, samplesOf(values, bitsAllocated, bits));
    }),
    { numRuns: 150 },
  );
});

test('samples of up to eight bits are put into the sixteen that are allocated for them', async () => {
  const values = [0, 255, 17, 128];
  const bytes = encode(attributesOf(2, 2, 8, 8), samplesOf(values, 8, 8));
  assert.deepEqual(await decode(attributesOf(2, 2, 16, 8), bytes), samplesOf(values, 16, 8));
});

test('a codestream of more bits than are allocated, or of another size, is refused', async () => {
  const bytes = encode(attributesOf(4, 2, 16, 12), samplesOf([1, 2, 3, 4, 5, 6, 7, 4095], 16, 12));
  await assert.rejects(decode(attributesOf(4, 2, 8, 8), bytes), /has (12|16) bits a sample/);
  await assert.rejects(decode(attributesOf(2, 4, 16, 12), bytes), /the codestream is 4 x 2/);
});

test('a header that states another size is refused before memory is asked for', async () => {
  const attributes = attributesOf(4, 2, 16, 12);
  const bytes = encode(attributes, samplesOf([1, 2, 3, 4, 5, 6, 7, 4095], 16, 12));
  const header = Buffer.from(bytes).indexOf(Buffer.from([0xff, 0xf7]));
  const before = process.memoryUsage().rss;
  // 30,000 rows of 30,000 samples are 1.7 GiB.
  const huge = bytes
    .with(header + 5, 0x75)
    .with(header + 6, 0x30)
    .with(header + 7, 0x75)
    .with(header + 8, 0x30);
  await assert.rejects(decode(attributes, huge), /the codestream is 30000 x 30000/);
  assert.ok(process.memoryUsage().rss - before < 2 ** 28);
  await assert.rejects(decode(attributes, bytes.with(header + 1, 0xf6)), /no frame header/);
});
