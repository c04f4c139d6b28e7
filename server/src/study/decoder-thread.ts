import { Worker } from 'node:worker_threads';
import type { CodecName, EncodedFrame } from './frame-decoder.ts';

type Reply = { readonly length: number } | { readonly error: string };

/** Loading codecs and module takes 0.1 s on an idle machine; a start-up this slow means that it will not come. */
const startLimitMs = 60_000;

/** One series after another is read within this; a thread takes longer to start than fifty frames of it to decode. */
const restMs = 10_000;
const mostResting = 2;
const resting: DecoderThread[] = [];

/** A thread that decodes one frame at a time. Frame and samples lie in memory shared with it. */
export class DecoderThread {
  readonly #worker = new Worker(new URL('./pixel-data-worker.mjs', import.meta.url), { execArgv: [], stdout: true });
  /** Codecs that it has loaded. */
  readonly #loaded = new Set<CodecName>();
  #input = new SharedArrayBuffer(0);
  #output = new SharedArrayBuffer(0);
  #restEnd: NodeJS.Timeout | undefined;

  private constructor() {
    // Who waits for a frame hears of it as well; nobody does while it rests.
    this.#worker.on('error', () => undefined).once('exit', () => this.#leaveRest());
  }

  /** One that rests, or a new one. */
  static take(): DecoderThread {
    const thread = resting.at(-1);
    if (thread === undefined) return new DecoderThread();
    thread.#leaveRest();
    thread.#worker.ref();
    return thread;
  }

  /**
   * The samples, until the next frame.
   *
   * @throws Error when the frame does not decode within `limitMs`; the thread is of no use then.
   */
  async decode({ codec, attributes, bytes }: EncodedFrame, limitMs: number): Promise<Uint8Array> {
    const sizeBytes = (attributes.width * attributes.height * attributes.bitsAllocated) / 8;
    // Hardly a frame is longer than its samples, so the memory of the first one does for those that follow.
    if (this.#input.byteLength < bytes.length) this.#input = new SharedArrayBuffer(Math.max(bytes.length, sizeBytes));
    const input = new Uint8Array(this.#input, 0, bytes.length);
    input.set(bytes);
    if (this.#output.byteLength < sizeBytes) this.#output = new SharedArrayBuffer(sizeBytes);
    const output = new Uint8Array(this.#output, 0, sizeBytes);
    if (!this.#loaded.has(codec)) await this.#ask({ load: codec }, startLimitMs);
    this.#loaded.add(codec);
    return output.subarray(0, await this.#ask({ codec, attributes, input, output }, limitMs));
  }

  /** Keeps the thread, which has no frame in work, for who asks next; it does not keep the process. */
  async rest(): Promise<void> {
    if (resting.length >= mostResting) return this.end();
    this.#worker.unref();
    resting.push(this);
    this.#restEnd = setTimeout(() => void this.end(), restMs).unref();
  }

  async end(): Promise<void> {
    this.#leaveRest();
    await this.#worker.terminate();
  }

  #leaveRest(): void {
    clearTimeout(this.#restEnd);
    const at = resting.indexOf(this);
    if (at >= 0) resting.splice(at, 1);
  }

  /** Bytes written. */
  async #ask(question: unknown, limitMs: number): Promise<number> {
    const reply = nextReply(this.#worker, limitMs);
    this.#worker.postMessage(question);
    const answer = await reply;
    if ('error' in answer) throw new Error(answer.error);
    return answer.length;
  }
}

function nextReply(worker: Worker, limitMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      act();
    };
    const onMessage = (reply: Reply): void => settle(() => resolve(reply));
    const onError = (error: Error): void => settle(() => reject(error));
    const onExit = (): void => settle(() => reject(new Error('the codec thread ended')));
    const timer = setTimeout(() => settle(() => reject(new Error(`no result within ${limitMs} ms`))), limitMs);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}
