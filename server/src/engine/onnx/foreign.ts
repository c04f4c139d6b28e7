import type { ForeignGraph, OpenForeignGraph } from '../foreign-graph.ts';
import { bind, Session, type SessionOptions } from './session.ts';

/** Opens ONNX files that were made elsewhere, on the CPU. */
export function foreignGraphOpener(options: SessionOptions): OpenForeignGraph {
  return async (file, taps) => {
    const session = await Session.open(tapped(file, taps), options);
    const graph: ForeignGraph = {
      ...session.names,
      run: (inputs, outputs) =>
        session.run(
          Object.fromEntries(Object.entries(inputs).map(([name, { data, shape }]) => [name, bind(data, shape)])),
          Object.fromEntries(outputs.map((name) => [name, null])),
        ),
      dispose: () => session.close(),
    };
    return graph;
  };
}

const elementFloat32 = 1;
const field = {
  model: { graph: 7 },
  graph: { output: 12 },
  valueInfo: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensor: { elementType: 1 },
} as const;

/**
 * The file with more outputs. Protobuf reads two occurrences of one embedded message as their union, so a second graph
 * that holds nothing but outputs, written behind the file, adds them; no byte of the file is touched.
 */
function tapped(file: Uint8Array, taps: readonly string[]): Uint8Array {
  if (taps.length === 0) return file;
  const outputs = taps.map((name) => {
    const tensor = Buffer.from([field.tensor.elementType << 3, elementFloat32]);
    const type = embedded(field.type.tensor, tensor);
    const value = [embedded(field.valueInfo.name, Buffer.from(name)), embedded(field.valueInfo.type, type)];
    return embedded(field.graph.output, Buffer.concat(value));
  });
  return Buffer.concat([file, embedded(field.model.graph, Buffer.concat(outputs))]);
}

/** A length-delimited field. */
function embedded(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(content.length)]), content]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
