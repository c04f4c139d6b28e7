import { encodeModel } from './encode.ts';
import { Graph } from './graph.ts';
import { type BoundArray, bind, type RunResult, Session, type SessionOptions } from './session.ts';

/** The vectors that a training step changes, as inputs of its graph; outputs have `Next` behind. */
export const vectorNames = ['student', 'ema', 'firstMoment', 'secondMoment'] as const;
export type VectorName = (typeof vectorNames)[number];
export type Vectors = Readonly<Record<VectorName, Float32Array>>;

/** Where the state vectors of a trainer lie between its steps. */
export interface TrainerState {
  /** Inputs of the next step. */
  feeds(): Readonly<Record<string, BoundArray>>;
  /** Outputs of the next step that are written into arrays of this state, or asked for. */
  fetches(): Readonly<Record<string, BoundArray | null>>;
  /** What the step wrote becomes the state. */
  advance(result: RunResult): void;
  /** Only to read, and only until the next step. */
  read(name: VectorName): Promise<Float32Array>;
  /** Copies. */
  load(vectors: Vectors): Promise<void>;
  dispose(): Promise<void>;
}

/** On the host: two sets alternate, so the big vectors are never allocated again. `written`: what the step writes. */
export function createHostState(size: number, written: readonly VectorName[]): TrainerState {
  let [current, next] = [hostSet(size), hostSet(size)];
  return {
    feeds: () => boundSet(current, vectorNames, ''),
    fetches: () => boundSet(next, written, 'Next'),
    advance() {
      [current, next] = [next, current];
    },
    read: async (name) => current[name],
    async load(vectors) {
      // What the optimiser does not write must be the same in both sets.
      for (const set of [current, next]) for (const name of vectorNames) set[name].set(vectors[name]);
    },
    dispose: async () => undefined,
  };
}

function hostSet(size: number): Vectors {
  const vector = () => new Float32Array(size);
  return { student: vector(), ema: vector(), firstMoment: vector(), secondMoment: vector() };
}

function boundSet(vectors: Vectors, names: readonly VectorName[], ending: string): Record<string, BoundArray> {
  return Object.fromEntries(names.map((name) => [`${name}${ending}`, bind(vectors[name], [vectors[name].length])]));
}

/**
 * In the memory of a WebGPU device: the outputs of a step are the inputs of the next one. The runtime allocates them and
 * takes no arrays to write into, so the set before is given back after each step, for the one after.
 */
export async function createDeviceState(
  size: number,
  written: readonly VectorName[],
  options: SessionOptions,
): Promise<TrainerState> {
  const copy = encodeCopy(size);
  const up = await Session.open(copy, options, ['copy']);
  const down = await Session.open(copy, options);
  let current = new Map<VectorName, BoundArray>();
  const dispose = (): void => {
    for (const tensor of current.values()) tensor.dispose();
    current = new Map();
  };
  return {
    feeds: () => Object.fromEntries(current),
    fetches: () => Object.fromEntries(written.map((name) => [`${name}Next`, null])),
    advance({ kept }) {
      for (const name of written) {
        current.get(name)?.dispose();
        current.set(name, kept[`${name}Next`]!);
      }
    },
    async read(name) {
      const { copy: array } = await down.run({ vector: current.get(name)! }, { copy: null });
      return array!;
    },
    async load(vectors) {
      dispose();
      for (const name of vectorNames) {
        const { kept } = await up.runKeeping({ vector: bind(vectors[name], [size]) }, { copy: null });
        current.set(name, kept['copy']!);
      }
    },
    async dispose() {
      dispose();
      await up.close();
      await down.close();
    },
  };
}

/** A graph of one node: the runtime moves its input to the device, or its output from there. */
function encodeCopy(size: number): Uint8Array {
  const graph = new Graph();
  const copy = graph.emit('Identity', [graph.input('vector', [size])], [size]);
  return encodeModel(graph.content('copy', { copy }), 'UnCoL copy between host and device');
}
