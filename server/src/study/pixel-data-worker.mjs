// Entry point of the worker thread of frame-decoder.ts. Plain JavaScript, because a worker started by plain Node has
// no TypeScript loader. It may be ended at any moment: a damaged frame can leave the codec's memory unusable.
import { parentPort } from 'node:worker_threads';
import codecs from 'dcmjs-codecs';

const { Context, NativeCodecs, log } = codecs;

log.setLevel?.('silent');
await NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false });

parentPort.on('message', ({ id, codec, attributes, bytes }) => {
  try {
    const context = new Context({ ...attributes, encodedBuffer: bytes });
    // A copy: the decoded buffer may be a view into the codec's memory, at an odd address.
    const samples = new Uint8Array(NativeCodecs[codec](context, { convertColorspaceToRgb: true }).getDecodedBuffer());
    parentPort.postMessage({ id, samples }, [samples.buffer]);
  } catch (error) {
    parentPort.postMessage({ id, error: String(error?.message ?? error).slice(0, 200) });
  }
});
parentPort.postMessage({ ready: true });
