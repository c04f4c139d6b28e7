// Entry point of the worker threads of lanes.ts: one session, asked for one share of a batch at a time. Plain JavaScript,
// because a worker started by plain Node has no TypeScript loader.
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

const { model, options, shapes } = workerData;

const failed = (error) => parentPort.postMessage({ error: String(error?.message ?? error).slice(0, 500) });

async function run(session, arrays) {
  const feeds = Object.entries(arrays).map(([name, data]) => [name, new ort.Tensor('float32', data, shapes[name])]);
  const tensors = await session.run(Object.fromEntries(feeds));
  const outputs = Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
  parentPort.postMessage(
    { outputs },
    Object.values(outputs).map(({ buffer }) => buffer),
  );
}

try {
  const session = await ort.InferenceSession.create(model, options);
  parentPort.on('message', async (arrays) => {
    if (arrays !== null) return run(session, arrays).catch(failed);
    await session.release();
    parentPort.close();
  });
  parentPort.postMessage({ outputs: {} });
} catch (error) {
  failed(error);
}
