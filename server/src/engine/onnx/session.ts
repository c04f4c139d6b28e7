import * as ort from 'onnxruntime-node';
import { AppError } from '../../errors/app-error.ts';
import { requireArrays } from '../arrays.ts';
import type { Arrays, InputShapes, Shape } from '../ops.ts';

/** A float32 array bound to a shape; the runtime reads and writes the array itself. */
export type BoundArray = ort.Tensor;

export function bind(data: Float32Array, shape: Shape): BoundArray {
  return new ort.Tensor('float32', data, shape);
}

/** Arrays with the shapes that a program names; refuses missing, unknown and wrongly sized ones. */
export function bindInputs(arrays: Arrays, shapes: InputShapes): Record<string, BoundArray> {
  requireArrays(arrays, shapes);
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, bind(arrays[name]!, shape)]));
}

/** How a session runs. */
export interface SessionOptions {
  /** Threads of one session; see `availableThreads`. */
  readonly threads: number;
  /** Prefix of the file in which the runtime writes the time of every node when the session ends. */
  readonly profilePrefix?: string;
}

/** An ONNX graph ready to run. A run blocks the calling thread until it is done. */
export class Session {
  readonly #session: ort.InferenceSession;
  readonly #profiling: boolean;

  private constructor(session: ort.InferenceSession, profiling: boolean) {
    this.#session = session;
    this.#profiling = profiling;
  }

  /** Throws AppError `engine-failed` when the runtime refuses the graph. */
  static async open(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const { threads, profilePrefix } = options;
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ['cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        // A thread that spins takes the core from the one it waits for: on two busy cores a step took 1.7 times as long.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
        logSeverityLevel: 3,
        ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
      });
      return new Session(session, profilePrefix !== undefined);
    } catch (error) {
      throw failure('The runtime refused the graph', error);
    }
  }

  get names(): { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] } {
    const { inputNames, outputNames } = this.#session;
    return { inputNames, outputNames };
  }

  /** `fetches`: outputs by name, written into the given array, or into a new one where null. */
  async run(
    feeds: Readonly<Record<string, BoundArray>>,
    fetches: Readonly<Record<string, BoundArray | null>>,
  ): Promise<Readonly<Record<string, Float32Array>>> {
    try {
      const results = await this.#session.run(feeds, fetches);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]));
    } catch (error) {
      throw failure('The network stopped', error);
    }
  }

  async close(): Promise<void> {
    if (this.#profiling) this.#session.endProfiling();
    await this.#session.release();
  }
}

function failure(what: string, cause: unknown): AppError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new AppError('engine-failed', `${what}: ${text.slice(0, 500)}`, {}, { cause });
}
