import type { Engine } from './ops.ts';

/** A reading on a device that may or may not be there. */
export interface EngineCandidate {
  readonly reading: Engine['reading'];
  /** `cuda`, `webgpu`, `cpu`, or the name of a TensorFlow.js backend. */
  readonly device: string;
  /**
   * Opens it.
   *
   * @param options.threads for readings that compute on the CPU.
   * @throws Error whose message says in one line why it cannot be used here.
   */
  open(options: { readonly threads: number }): Promise<OpenedEngine>;
}

/** An engine that runs here. */
export interface OpenedEngine {
  readonly engine: Engine;
  /** The device is emulated by the CPU: for tests, never chosen by itself. */
  readonly isSoftware: boolean;
}
