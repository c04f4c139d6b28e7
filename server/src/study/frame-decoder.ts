import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** One compressed frame and what the codec must know of it. */
export interface EncodedFrame {
  readonly codec: CodecName;
  readonly attributes: {
    readonly width: number;
    readonly height: number;
    readonly bitsAllocated: number;
    readonly bitsStored: number;
    readonly samplesPerPixel: 1;
    readonly pixelRepresentation: 0 | 1;
    readonly planarConfiguration: 0;
    readonly photometricInterpretation: string;
  };
  readonly bytes: Uint8Array;
}

export type CodecName = 'decodeRle' | 'decodeJpeg' | 'decodeJpegLs' | 'decodeJpeg2000' | 'decodeHtJpeg2000';

/** Decodes frames in worker threads that are started by the first frame. */
export interface FrameDecoder {
  /** Frames that are decoded at the same time. */
  readonly lanes: number;
  /** Resolves when a thread is idle: the next frame then leaves its bytes behind before `decode` returns. */
  ready(): Promise<void>;
  /**
   * Hands the samples of a frame to `use`: little-endian, row by row, no more than its attributes ask for. They lie where
   * those of the next frame will: `use` copies what it keeps. Rejects with a plain `Error` when the frame does not decode
   * in time, and with what `use` throws.
   */
  decode<T>(frame: EncodedFrame, use: (samples: Uint8Array) => T): Promise<T>;
  /** Ends the threads; frames in work reject. */
  close(): Promise<void>;
}

type Reply = { readonly length: number } | { readonly error: string };

/** Loading codecs and module takes 0.1 s on an idle machine; a start-up this slow means that it will not come. */
const startLimitMs = 60_000;

/**
 * A decoder with at most `lanes` threads. A thread that fails or exceeds the time limit is ended and replaced, because
 * a damaged frame can make later good frames fail in the same codec memory.
 */
export function createFrameDecoder(
  options: { readonly lanes?: number; readonly timeLimitMs?: number } = {},
): FrameDecoder {
  const { lanes = Math.max(1, Math.min(2, availableParallelism())), timeLimitMs = 4000 } = options;
  const all = Array.from({ length: lanes }, () => new Lane(timeLimitMs));
  const idle = [...all];
  const waiting: ((lane: Lane) => void)[] = [];
  const wait = (): Promise<Lane> => new Promise((resolve) => waiting.push(resolve));
  const give = (lane: Lane): void => {
    const next = waiting.shift();
    if (next) next(lane);
    else idle.push(lane);
  };
  return {
    lanes,
    async ready() {
      if (idle.length === 0) give(await wait());
    },
    async decode(frame, use) {
      const lane = idle.pop() ?? (await wait());
      try {
        return use(await lane.decode(frame));
      } finally {
        give(lane);
      }
    },
    async close() {
      await Promise.all(all.map((lane) => lane.close()));
    },
  };
}

/** One thread at a time, one frame at a time. Frame and samples lie in memory shared with the thread. */
class Lane {
  #worker: Worker | undefined;
  /** Codecs that the thread has loaded. */
  readonly #loaded = new Set<CodecName>();
  #input = new SharedArrayBuffer(0);
  #output = new SharedArrayBuffer(0);
  #isClosed = false;
  readonly #timeLimitMs: number;

  constructor(timeLimitMs: number) {
    this.#timeLimitMs = timeLimitMs;
  }

  /** The samples, until the next frame. */
  async decode({ codec, attributes, bytes }: EncodedFrame): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error('the decoder is closed');
    try {
      const sizeBytes = (attributes.width * attributes.height * attributes.bitsAllocated) / 8;
      // Hardly a frame is longer than its samples, so the memory of the first one does for those that follow.
      if (this.#input.byteLength < bytes.length) this.#input = new SharedArrayBuffer(Math.max(bytes.length, sizeBytes));
      const input = new Uint8Array(this.#input, 0, bytes.length);
      input.set(bytes);
      if (this.#output.byteLength < sizeBytes) this.#output = new SharedArrayBuffer(sizeBytes);
      const output = new Uint8Array(this.#output, 0, sizeBytes);
      if (!this.#loaded.has(codec)) await this.#ask({ load: codec }, startLimitMs);
      this.#loaded.add(codec);
      return output.subarray(0, await this.#ask({ codec, attributes, input, output }, this.#timeLimitMs));
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end();
  }

  /** Bytes written. */
  async #ask(question: unknown, limitMs: number): Promise<number> {
    const url = new URL('./pixel-data-worker.mjs', import.meta.url);
    this.#worker ??= new Worker(url, { execArgv: [], stdout: true });
    const reply = nextReply(this.#worker, limitMs);
    this.#worker.postMessage(question);
    const answer = await reply;
    if ('error' in answer) throw new Error(answer.error);
    return answer.length;
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#loaded.clear();
    await worker?.terminate();
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
