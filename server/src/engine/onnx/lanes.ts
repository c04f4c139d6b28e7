import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Arrays, InputShapes } from '../ops.ts';
import { runtimeFailure, runtimeOptions, type SessionOptions } from './session.ts';

/** What a lane says, once when it has opened and once for every share. */
type Reply = { readonly outputs: Arrays } | { readonly error: string };

/**
 * How many lanes share a batch: the most that get the same number of samples and a thread each; 1 where there is one
 * sample (a window of a volume), one thread, a device that has its own, or a profile to write.
 */
export function laneCount(inputs: InputShapes, { threads, device = 'cpu', profilePrefix }: SessionOptions): number {
  if (device !== 'cpu' || profilePrefix !== undefined) return 1;
  const batches = Object.values(inputs).map(([batch = 1]) => batch);
  const fits = (lanes: number): boolean => batches.every((batch) => batch % lanes === 0);
  let lanes = Math.min(threads, ...batches);
  while (!fits(lanes)) lanes--;
  return lanes;
}

/** The shapes of one lane's share of the samples. */
export function shapesOfLane(inputs: InputShapes, lanes: number): InputShapes {
  const shared = Object.entries(inputs).map(([name, [batch = 1, ...rest]]) => [name, [batch / lanes, ...rest]]);
  return Object.fromEntries(shared);
}

/**
 * One graph in several worker threads, each with its own session and its share of the samples. The runtime's threads
 * wait for each other after every operator, lanes once a batch, and other
 * work on a core delays one of them, not each operator. They cost the weights once a lane, so they are for serving.
 */
export class Lanes {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  /**
   * @param shapes of one lane's share.
   * @throws AppError `engine-failed` when the runtime refuses the graph.
   */
  static async open(model: Uint8Array, shapes: InputShapes, lanes: number, options: SessionOptions): Promise<Lanes> {
    const threads = Math.floor(options.threads / lanes);
    const workerData = { model, shapes, options: runtimeOptions({ ...options, threads }) };
    const url = new URL('./lane-worker.mjs', import.meta.url);
    const workers = Array.from({ length: lanes }, () => new Worker(url, { execArgv: [], workerData }));
    try {
      await everyOne(workers.map(nextReply));
    } catch (error) {
      await Promise.all(workers.map(end));
      throw runtimeFailure('The runtime refused the graph', error);
    }
    // An engine that nobody disposes of must not keep the process.
    for (const worker of workers) worker.unref();
    return new Lanes(workers);
  }

  /**
   * @param inputs of the whole batch; calls must not overlap.
   * @throws AppError `engine-failed` when a lane stops.
   */
  async run(inputs: Arrays): Promise<Arrays> {
    try {
      const answers = await everyOne(this.#workers.map((worker, lane) => ask(worker, this.#share(inputs, lane))));
      const names = Object.keys(answers[0]!);
      return Object.fromEntries(names.map((name) => [name, joined(answers.map((answer) => answer[name]!))]));
    } catch (error) {
      throw runtimeFailure('The network stopped', error);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(end));
  }

  #share(inputs: Arrays, lane: number): Arrays {
    const part = (array: Float32Array): Float32Array => {
      const length = array.length / this.#workers.length;
      return array.slice(lane * length, (lane + 1) * length);
    };
    return Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, part(array)]));
  }
}

async function ask(worker: Worker, share: Arrays): Promise<Arrays> {
  worker.ref();
  const reply = nextReply(worker);
  worker.postMessage(
    share,
    Object.values(share).map(({ buffer }) => buffer as ArrayBuffer),
  );
  try {
    return await reply;
  } finally {
    worker.unref();
  }
}

/** As `Promise.all`, and no lane is still at work when it ends. */
async function everyOne<T>(answers: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(answers);
  return Promise.all(answers);
}

/** By asking: ended from outside in a call of the runtime, a thread takes the process with it. */
async function end(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  worker.ref();
  const ended = once(worker, 'exit');
  worker.postMessage(null);
  await ended;
}

async function nextReply(worker: Worker): Promise<Arrays> {
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    const ended = once(worker, 'exit', { signal }).then(() => {
      throw new Error('a lane ended');
    });
    const [reply] = (await Promise.race([once(worker, 'message', { signal }), ended])) as [Reply];
    if ('error' in reply) throw new Error(reply.error);
    return reply.outputs;
  } finally {
    waiting.abort();
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
