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
  /** Owned by the decoder from the call on: its buffer moves to the worker thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type CodecName = 'decodeRle' | 'decodeJpeg' | 'decodeJpegLs' | 'decodeJpeg2000' | 'decodeHtJpeg2000';

/** Decodes frames in worker threads that are started by the first frame. */
export interface FrameDecoder {
  /** Frames that are decoded at the same time. */
  readonly lanes: number;
  /** Little-endian samples, row by row. Rejects with a plain `Error` when the frame does not decode in time. */
  decode(frame: EncodedFrame): Promise<Uint8Array>;
  /** Ends the threads; frames in work reject. */
  close(): Promise<void>;
}

type Reply = { readonly ready: true } | { readonly samples: Uint8Array } | { readonly error: string };

/** Loading codecs and module takes 0.3 s on an idle machine; a start-up this slow means that it will not come. */
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
  const take = (): Promise<Lane> => {
    const lane = idle.pop();
    return lane ? Promise.resolve(lane) : new Promise((resolve) => waiting.push(resolve));
  };
  const give = (lane: Lane): void => {
    const next = waiting.shift();
    if (next) next(lane);
    else idle.push(lane);
  };
  return {
    lanes,
    async decode(frame) {
      const lane = await take();
      try {
        return await lane.decode(frame);
      } finally {
        give(lane);
      }
    },
    async close() {
      await Promise.all(all.map((lane) => lane.close()));
    },
  };
}

/** One thread at a time, one frame at a time. */
class Lane {
  #worker: Worker | undefined;
  #isClosed = false;
  readonly #timeLimitMs: number;

  constructor(timeLimitMs: number) {
    this.#timeLimitMs = timeLimitMs;
  }

  async decode(frame: EncodedFrame): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error('the decoder is closed');
    try {
      const worker = this.#worker ?? (await this.#start());
      const reply = nextReply(worker, this.#timeLimitMs);
      worker.postMessage({ codec: frame.codec, attributes: frame.attributes, bytes: frame.bytes }, [
        frame.bytes.buffer,
      ]);
      const answer = await reply;
      if ('samples' in answer) return answer.samples;
      throw new Error('error' in answer ? answer.error : 'the codec gave no samples');
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end();
  }

  async #start(): Promise<Worker> {
    const worker = new Worker(new URL('./pixel-data-worker.mjs', import.meta.url), { execArgv: [], stdout: true });
    this.#worker = worker;
    await nextReply(worker, startLimitMs);
    return worker;
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
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
