import type { Shape, Tensor } from '../ops.ts';
import { sizeOf } from '../shapes.ts';

export { sizeOf } from '../shapes.ts';

/** Element types that the graphs use, by their number in TensorProto. */
export const elementTypes = { float32: 1, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;

/** An attribute of a node; `f` and `i` scalars, `ints` and `s` as ONNX names them. */
export type Attribute =
  | { readonly f: number }
  | { readonly i: number }
  | { readonly s: string }
  | { readonly ints: readonly number[] };
export type Attributes = Readonly<Record<string, Attribute>>;

/** A handle on a named value of the graph. Two handles may share a name: gradients are kept by handle, not by name. */
export class Value implements Tensor {
  readonly name: string;
  readonly shape: Shape;
  readonly type: ElementType;

  constructor(name: string, shape: Shape, type: ElementType = 'float32') {
    this.name = name;
    this.shape = shape;
    this.type = type;
  }
}

export interface Node {
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface Constant {
  readonly name: string;
  readonly shape: Shape;
  readonly type: ElementType;
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** What is written into a file: only the nodes and constants that the outputs need. */
export interface GraphContent {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
}

/** Options of {@link Graph.emit} that few nodes need. */
export interface EmitOptions {
  readonly domain?: string;
  readonly type?: ElementType;
}

/** The value behind a tensor of this reading; anything else is a mistake of the caller. */
export function asValue(tensor: Tensor): Value {
  if (!(tensor instanceof Value)) throw new TypeError('This tensor belongs to another reading of the vocabulary.');
  return tensor;
}

/**
 * A graph under construction. Every shape is static. Equal constants and equal nodes are written once, and what no
 * output needs is dropped by {@link Graph.content}.
 */
export class Graph {
  readonly #inputs: Value[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #nodeByKey = new Map<string, Node>();
  #count = 0;

  input(name: string, shape: Shape): Value {
    const value = new Value(name, shape);
    this.#inputs.push(value);
    return value;
  }

  /** A float32 array. */
  constant(values: ArrayLike<number>, shape: Shape): Value {
    const array = Float32Array.from(values);
    if (array.length !== sizeOf(shape)) {
      throw new RangeError(`constant: ${array.length} values for shape [${shape.join(',')}]`);
    }
    return this.#intern(new Uint8Array(array.buffer), shape, 'float32');
  }

  scalar(value: number): Value {
    return this.constant([value], []);
  }

  /** An int64 vector, as axes, shapes and sizes are passed. */
  integers(values: readonly number[]): Value {
    const array = BigInt64Array.from(values, (value) => BigInt(value));
    return this.#intern(new Uint8Array(array.buffer), [values.length], 'int64');
  }

  /** A node with one output. */
  emit(
    operator: string,
    inputs: readonly Value[],
    shape: Shape,
    attributes: Attributes = {},
    options: EmitOptions = {},
  ): Value {
    const [output] = this.emitMany(operator, inputs, [{ shape, type: options.type ?? 'float32' }], attributes, options);
    return output!;
  }

  /** A node with several outputs. */
  emitMany(
    operator: string,
    inputs: readonly Value[],
    outputs: readonly { readonly shape: Shape; readonly type?: ElementType }[],
    attributes: Attributes = {},
    options: EmitOptions = {},
  ): Value[] {
    const domain = options.domain ?? '';
    const names = inputs.map((input) => input.name);
    const key = JSON.stringify([operator, domain, names, attributes, outputs.length]);
    let node = this.#nodeByKey.get(key);
    if (node === undefined) {
      node = { operator, domain, inputs: names, outputs: outputs.map(() => `v${this.#count++}`), attributes };
      this.#nodeByKey.set(key, node);
      this.#nodes.push(node);
    }
    const { outputs: outputNames } = node;
    return outputs.map(({ shape, type }, index) => new Value(outputNames[index]!, shape, type));
  }

  /** The part of the graph that `outputs` need; each output gets its key as its name in the file. */
  content(name: string, outputs: Readonly<Record<string, Value>>): GraphContent {
    const named: Value[] = [];
    const copies: Node[] = [];
    const renamed = new Map<string, string>();
    const produced = new Set(this.#nodes.flatMap((node) => node.outputs));
    for (const [outputName, value] of Object.entries(outputs)) {
      named.push(new Value(outputName, value.shape, value.type));
      // An input, a constant or a value that is already an output needs a node of its own to be one.
      if (produced.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, outputName);
      else
        copies.push({ operator: 'Identity', domain: '', inputs: [value.name], outputs: [outputName], attributes: {} });
    }
    const needed = new Set([...renamed.keys(), ...copies.flatMap((node) => node.inputs)]);
    const nodes: Node[] = [];
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      for (const input of node.inputs) needed.add(input);
      nodes.push(node);
    }
    const rename = (value: string): string => renamed.get(value) ?? value;
    return {
      name,
      // Inputs stay even when unused: what a caller must feed does not depend on what was dropped.
      inputs: this.#inputs,
      outputs: named,
      nodes: [...nodes.reverse(), ...copies].map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      })),
      constants: [...this.#constants.values()].filter((constant) => needed.has(constant.name)),
    };
  }

  #intern(bytes: Uint8Array, shape: Shape, type: ElementType): Value {
    // Large arrays (frozen weights) are not worth a key of their own size.
    const key =
      bytes.length > 65536
        ? `#${this.#count}`
        : `${type} ${shape.join(',')} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}`;
    let constant = this.#constants.get(key);
    if (constant === undefined) {
      constant = { name: `c${this.#count++}`, shape, type, bytes };
      this.#constants.set(key, constant);
    }
    return new Value(constant.name, shape, type);
  }
}
