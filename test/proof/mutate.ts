import type { Random } from '../../server/src/engine/random.ts';

/** Numbers that lengths and counts are most often wrong by. */
const interesting = [0, 1, 2, 7, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** One to five faults in a copy of some bytes: of the kinds that damage, cuts, wrong lengths and mixed files make. */
export function mutate(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  let changed = Uint8Array.from(bytes);
  const faults = 1 + random.int(5);
  for (let n = 0; n < faults && changed.length > 0; n++) changed = random.pick(kinds)(changed, others, random);
  return changed;
}

type Kind = (bytes: Uint8Array<ArrayBuffer>, others: readonly Uint8Array[], random: Random) => Uint8Array<ArrayBuffer>;

const setByte: Kind = (bytes, _, random) => {
  bytes[random.int(bytes.length)] = random.int(256);
  return bytes;
};

const flipBit: Kind = (bytes, _, random) => {
  const at = random.int(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
  return bytes;
};

const setNumber: Kind = (bytes, _, random) => {
  if (bytes.length < 4) return bytes;
  const view = new DataView(bytes.buffer);
  const value = random.pick(interesting);
  const isLittle = random.next() < 0.8;
  if (random.next() < 0.5) view.setUint16(random.int(bytes.length - 1), value & 0xffff, isLittle);
  else view.setUint32(random.int(bytes.length - 3), value, isLittle);
  return bytes;
};

const cut: Kind = (bytes, _, random) => bytes.slice(0, random.int(bytes.length));

const remove: Kind = (bytes, _, random) => {
  const from = random.int(bytes.length);
  const to = Math.min(bytes.length, from + 1 + random.int(40));
  return joined(bytes.subarray(0, from), bytes.subarray(to));
};

const repeat: Kind = (bytes, _, random) => {
  const from = random.int(bytes.length);
  const part = bytes.subarray(from, from + 1 + random.int(200));
  return joined(bytes.subarray(0, from), part, bytes.subarray(from));
};

const splice: Kind = (bytes, others, random) => {
  const other = random.pick(others);
  const from = random.int(Math.max(1, other.length));
  const at = random.int(bytes.length);
  return joined(bytes.subarray(0, at), other.subarray(from, from + 1 + random.int(400)), bytes.subarray(at));
};

const swapDigits: Kind = (bytes, _, random) => {
  // Text of numbers and UIDs: another character that may stand there.
  const text = '0123456789.-+eE\\, "{}[]:\r\n';
  const start = random.int(bytes.length);
  for (let at = start; at < bytes.length; at++) {
    const value = bytes[at] ?? 0;
    if (value < 0x2b || value > 0x39) continue;
    bytes[at] = text.charCodeAt(random.int(text.length));
    break;
  }
  return bytes;
};

const kinds: readonly Kind[] = [
  ...[setByte, setByte, flipBit, flipBit, setNumber, setNumber, swapDigits, swapDigits],
  ...[cut, remove, repeat, splice],
];

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
