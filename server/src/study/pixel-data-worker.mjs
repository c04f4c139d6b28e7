// Entry point of the worker thread of frame-decoder.ts. Plain JavaScript, because a worker started by plain Node has
// no TypeScript loader. It may be ended at any moment: a damaged frame can leave the codec's memory unusable.
import { parentPort } from 'node:worker_threads';
import { freeBytes } from './free-bytes.mjs';
import { loadJpegLs } from './jpeg-ls.mjs';
import { decodeRle } from './rle.mjs';

/** How each codec decodes, once it is loaded: `(input, output, attributes) => bytes written`. */
const loaded = new Map([['decodeRle', decodeRle]]);

async function load(codec) {
  if (codec === 'decodeJpegLs') return loadJpegLs();
  const { default: codecs } = await import('dcmjs-codecs');
  const { Context, NativeCodecs, log } = codecs;
  log.setLevel?.('silent');
  if (!NativeCodecs.isInitialized()) {
    await NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false });
  }
  return (input, output, attributes) => {
    const context = new Context({ ...attributes, encodedBuffer: input });
    const samples = NativeCodecs[codec](context, { convertColorspaceToRgb: true }).getDecodedBuffer();
    const length = Math.min(samples.length, output.length);
    output.set(samples.subarray(0, length));
    freeBytes(samples);
    return length;
  };
}

parentPort.on('message', async ({ load: wanted, codec, attributes, input, output }) => {
  try {
    if (wanted !== undefined) {
      if (!loaded.has(wanted)) loaded.set(wanted, await load(wanted));
      parentPort.postMessage({ length: 0 });
    } else {
      parentPort.postMessage({ length: loaded.get(codec)(input, output, attributes) });
    }
  } catch (error) {
    parentPort.postMessage({ error: String(error?.message ?? error).slice(0, 200) });
  }
});
