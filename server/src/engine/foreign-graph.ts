import type { Arrays, Shape } from './ops.ts';

/** A float32 array with its shape. */
export interface ShapedArray {
  readonly data: Float32Array;
  readonly shape: Shape;
}

/** A frozen graph that somebody else made: it runs, and nothing of it is ever trained. */
export interface ForeignGraph {
  readonly inputNames: readonly string[];
  /** Outputs of the file and the inner values that were asked for when it was opened. */
  readonly outputNames: readonly string[];
  /** Computes the named outputs only. */
  run(inputs: Readonly<Record<string, ShapedArray>>, outputs: readonly string[]): Promise<Arrays>;
  dispose(): Promise<void>;
}

/**
 * Opens a graph from the bytes of its file.
 *
 * @param taps names of inner values that become outputs beside those of the file.
 * @throws AppError `engine-failed` when the runtime refuses it, e.g. because it has no value of a tapped name.
 */
export type OpenForeignGraph = (file: Uint8Array, taps: readonly string[]) => Promise<ForeignGraph>;
