import { type Attribute, type Constant, elementTypes, type GraphContent, type Node, type Value } from './graph.ts';

/** Version of the ONNX operators (ai.onnx) that the graphs are written in. */
export const opsetVersion = 20;
/** Version of the file format; 9 is the one that belongs to opset 20. */
export const irVersion = 9;

/** A message of protocol buffers under construction: fields are appended, bytes are joined once. */
class Message {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  integer(field: number, value: number): this {
    return this.#push(varint(field * 8)).#push(varint(value));
  }

  float(field: number, value: number): this {
    return this.#push(varint(field * 8 + 5)).#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#push(varint(field * 8 + 2))
      .#push(varint(value.length))
      .#push(value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}

/** Base-128 groups, low first; negative numbers as their 64-bit two's complement, as int64 fields want. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** The graph as the bytes of an ONNX ModelProto. */
export function encodeModel(content: GraphContent, docString: string): Uint8Array {
  const graph = new Message();
  for (const node of content.nodes) graph.message(1, encodeNode(node));
  graph.text(2, content.name);
  for (const constant of content.constants) graph.message(5, encodeConstant(constant));
  for (const input of content.inputs) graph.message(11, encodeValueInfo(input));
  for (const output of content.outputs) graph.message(12, encodeValueInfo(output));
  return new Message()
    .integer(1, irVersion)
    .text(2, 'uncol')
    .text(6, docString)
    .message(7, graph)
    .message(8, new Message().text(1, '').integer(2, opsetVersion))
    .message(8, new Message().text(1, 'com.microsoft').integer(2, 1))
    .finish();
}

function encodeNode(node: Node): Message {
  const message = new Message();
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, node.outputs[0] ?? '').text(4, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes)) message.message(5, encodeAttribute(name, attribute));
  return message.text(7, node.domain);
}

function encodeAttribute(name: string, attribute: Attribute): Message {
  const message = new Message().text(1, name);
  if ('f' in attribute) return message.float(2, attribute.f).integer(20, 1);
  if ('i' in attribute) return message.integer(3, attribute.i).integer(20, 2);
  if ('s' in attribute) return message.text(4, attribute.s).integer(20, 3);
  for (const value of attribute.ints) message.integer(8, value);
  return message.integer(20, 7);
}

function encodeConstant(constant: Constant): Message {
  const message = new Message();
  for (const size of constant.shape) message.integer(1, size);
  return message.integer(2, elementTypes[constant.type]).text(8, constant.name).bytes(9, constant.bytes);
}

function encodeValueInfo(value: Value): Message {
  const shape = new Message();
  for (const size of value.shape) shape.message(1, new Message().integer(1, size));
  const tensorType = new Message().integer(1, elementTypes[value.type]).message(2, shape);
  return new Message().text(1, value.name).message(2, new Message().message(1, tensorType));
}
