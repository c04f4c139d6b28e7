import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import codecs from 'dcmjs-codecs';
import { createFrameDecoder, type EncodedFrame } from '../../../server/src/study/frame-decoder.ts';

const { Context, NativeCodecs } = codecs;

const copy = (samples: Uint8Array): Uint8Array => Uint8Array.from(samples);

/** A square JPEG-LS frame of noise, which the codec cannot shorten. */
async function noise(size: number): Promise<{ readonly frame: () => EncodedFrame; readonly samples: Uint8Array }> {
  if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  let state = 1;
  const samples = Uint8Array.from({ length: size * size * 2 }, () => {
    state = (state * 48271) % 2147483647;
    return state & 0xff;
  });
  const attributes = {
    width: size,
    height: size,
    bitsAllocated: 16,
    bitsStored: 16,
    samplesPerPixel: 1,
    pixelRepresentation: 0,
    planarConfiguration: 0,
    photometricInterpretation: 'MONOCHROME2',
  } as const;
  const encoded = NativeCodecs.encodeJpegLs(new Context({ ...attributes, decodedBuffer: samples }), {});
  const bytes = encoded.getEncodedBuffer() ?? new Uint8Array();
  return { samples, frame: () => ({ codec: 'decodeJpegLs', attributes, bytes: Uint8Array.from(bytes) }) };
}

test('a frame over the time limit is cut off', async () => {
  const { frame } = await noise(1024);
  const decoder = createFrameDecoder({ lanes: 1, timeLimitMs: 20 });
  await assert.rejects(decoder.decode(frame(), copy), /no result within 20 ms/);
  await decoder.close();
});

test('after a damaged frame the next ones decode in a fresh thread', async () => {
  const { frame, samples } = await noise(64);
  const decoder = createFrameDecoder({ lanes: 1 });
  for (let n = 0; n < 3; n++) {
    const { codec, attributes, bytes } = frame();
    const damaged = bytes.map((value, at) => (at > 8 && at < 40 ? ~value : value));
    await assert.rejects(decoder.decode({ codec, attributes, bytes: damaged }, copy));
    assert.deepEqual(await decoder.decode(frame(), copy), samples);
  }
  await decoder.close();
});

/** Its number tells how many threads were started before it. */
async function threadsSoFar(): Promise<number> {
  const worker = new Worker('', { eval: true });
  const { threadId } = worker;
  await once(worker, 'exit');
  return threadId;
}

test('the thread of one series serves the next one', async () => {
  const { frame, samples } = await noise(8);
  const decodeOne = async () => {
    const decoder = createFrameDecoder({ lanes: 1 });
    assert.deepEqual(await decoder.decode(frame(), copy), samples);
    await decoder.close();
  };
  await decodeOne();
  const before = await threadsSoFar();
  await decodeOne();
  await decodeOne();
  assert.equal(await threadsSoFar(), before + 1, 'only the one that counts was started');
});

test('a thread with a frame in work is not kept for the next series', async () => {
  const [large, small] = [await noise(1024), await noise(16)];
  const decoder = createFrameDecoder({ lanes: 1 });
  const running = decoder.decode(large.frame(), copy);
  await Promise.all([assert.rejects(running), decoder.close()]);
  const next = createFrameDecoder({ lanes: 1 });
  // The answer to the large frame would come first.
  assert.deepEqual(await next.decode(small.frame(), copy), small.samples);
  await next.close();
});

test('a closed decoder rejects and starts no thread', async () => {
  const { frame } = await noise(8);
  const decoder = createFrameDecoder({ lanes: 1 });
  const running = decoder.decode(frame(), copy);
  await Promise.all([assert.rejects(running), decoder.close()]);
  await assert.rejects(decoder.decode(frame(), copy), /closed/);
});
