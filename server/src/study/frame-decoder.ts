import { availableParallelism } from 'node:os';
import { DecoderThread } from './decoder-thread.ts';

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

/** Decodes frames in worker threads that the first frame starts, or that rest since the last series. */
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
  /** Lets go of the threads; frames in work reject. */
  close(): Promise<void>;
}

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

/** One thread at a time, one frame at a time. */
class Lane {
  #thread: DecoderThread | undefined;
  #isBusy = false;
  #isClosed = false;
  readonly #timeLimitMs: number;

  constructor(timeLimitMs: number) {
    this.#timeLimitMs = timeLimitMs;
  }

  /** The samples, until the next frame. */
  async decode(frame: EncodedFrame): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error('the decoder is closed');
    this.#isBusy = true;
    try {
      this.#thread ??= DecoderThread.take();
      const samples = await this.#thread.decode(frame, this.#timeLimitMs);
      if (this.#isClosed) throw new Error('the decoder was closed');
      return samples;
    } catch (error) {
      await this.#letGo()?.end();
      throw error;
    } finally {
      this.#isBusy = false;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const thread = this.#letGo();
    await (this.#isBusy ? thread?.end() : thread?.rest());
  }

  #letGo(): DecoderThread | undefined {
    const thread = this.#thread;
    this.#thread = undefined;
    return thread;
  }
}
