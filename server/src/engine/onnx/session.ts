import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/** Where a session computes. */
export type OnnxDevice = 'cpu' | 'webgpu' | 'cuda';

/** How a session runs. */
export interface SessionOptions {
  /** Threads of one session on the CPU; see `availableThreads`. */
  readonly threads: number;
  /**
   * `cpu` unless given. Where the device is not there no session opens; nodes that it cannot run would run on the CPU,
   * and forms.ts sees to it that there are none.
   */
  readonly device?: OnnxDevice;
  /** Prefix of the file in which the runtime writes the time of every node when the session ends. */
  readonly profilePrefix?: string;
}

/** What a run gave: arrays, and the outputs that stayed on the device; the caller disposes those. */
export interface RunResult {
  readonly arrays: Arrays;
  readonly kept: Readonly<Record<string, BoundArray>>;
}

/** Without a layout of its own, WebGPU would have the CPU transpose what it wants channels-last. */
const providers: Readonly<Record<OnnxDevice, ort.InferenceSession.ExecutionProviderConfig>> = {
  cpu: 'cpu',
  webgpu: { name: 'webgpu', preferredLayout: 'NCHW' },
  cuda: 'cuda',
};

/** Sessions that were profiled: the runtime puts the second into the name of a file, and two may open in one. */
let profiled = 0;

/** What the runtime is told of a session. */
export function runtimeOptions(options: SessionOptions): ort.InferenceSession.SessionOptions {
  const { threads, device = 'cpu', profilePrefix } = options;
  return {
    executionProviders: [providers[device]],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // A block planned for all temporaries comes beside what the first run took: 1,700 MiB became 2,400, no time was won.
    enableMemPattern: false,
    // A thread that spins takes the core from the one it waits for: on two busy cores a step took 1.7 times as long.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
    ...(profilePrefix === undefined ? {} : profilingTo(`${profilePrefix}-${++profiled}`)),
  };
}

function profilingTo(prefix: string): ort.InferenceSession.SessionOptions {
  return { enableProfiling: true, profileFilePrefix: prefix };
}

/** An ONNX graph ready to run. A run blocks the calling thread until it is done. */
export class Session {
  readonly #session: ort.InferenceSession;
  readonly #profiling: boolean;

  private constructor(session: ort.InferenceSession, profiling: boolean) {
    this.#session = session;
    this.#profiling = profiling;
  }

  /**
   * @param kept outputs that stay in the memory of a WebGPU device, to be fed to the next run. The runtime knows no such
   *   outputs on other devices.
   * @throws AppError `engine-failed` when the runtime refuses the graph, or the device is not there.
   */
  static async open(model: Uint8Array, options: SessionOptions, kept: readonly string[] = []): Promise<Session> {
    try {
      const session = await ort.InferenceSession.create(model, {
        ...runtimeOptions(options),
        preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, 'gpu-buffer' as const])),
      });
      return new Session(session, options.profilePrefix !== undefined);
    } catch (error) {
      throw runtimeFailure('The runtime refused the graph', error);
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
  ): Promise<Arrays> {
    const { arrays } = await this.runKeeping(feeds, fetches);
    return arrays;
  }

  /** As {@link Session.run}, with the outputs that this session was opened to keep on the device. */
  async runKeeping(
    feeds: Readonly<Record<string, BoundArray>>,
    fetches: Readonly<Record<string, BoundArray | null>>,
  ): Promise<RunResult> {
    try {
      const results = Object.entries(await this.#session.run(feeds, fetches));
      // Asking a tensor on the device for its data ends the process, so it is not touched here.
      const [onDevice, onHost] = [true, false].map((isKept) =>
        results.filter(([, tensor]) => (tensor.location !== 'cpu') === isKept),
      );
      const arrays = Object.fromEntries(onHost!.map(([name, tensor]) => [name, tensor.data as Float32Array]));
      return { arrays, kept: Object.fromEntries(onDevice!) };
    } catch (error) {
      throw runtimeFailure('The network stopped', error);
    }
  }

  async close(): Promise<void> {
    if (this.#profiling) this.#session.endProfiling();
    await this.#session.release();
  }
}

/** A fault of the runtime, as `engine-failed`. */
export function runtimeFailure(what: string, cause: unknown): AppError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new AppError('engine-failed', `${what}: ${text.slice(0, 500)}`, {}, { cause });
}

/** Whether the CUDA libraries, which the runtime's package does not bring, were put beside its own. */
export function hasCudaLibraries(): boolean {
  const root = dirname(dirname(fileURLToPath(import.meta.resolve('onnxruntime-node'))));
  const files = readdirSync(join(root, 'bin'), { recursive: true, encoding: 'utf8' });
  return files.some((file) => file.includes(join(process.platform, process.arch)) && file.includes('providers_cuda'));
}
