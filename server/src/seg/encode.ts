import dcmjs from 'dcmjs';
import { AppError } from '../errors/app-error.ts';
import type { PersonName } from './header.ts';

const { nameMap } = dcmjs.data.DicomMetaDictionary;

/**
 * A data set by DICOM keywords, known ones; `undefined` values are left out. Sequences are lists of data sets, binary values are
 * `Uint8Array`, attribute tags eight hex digits, names lists of their three parts.
 */
export type DataSet = Readonly<Record<string, unknown>>;

/** Attributes whose value representation depends on others: what it is in the objects that are written here. */
const settled: Readonly<Record<string, string>> = {
  PixelPaddingValue: 'US',
  SmallestImagePixelValue: 'US',
  LargestImagePixelValue: 'US',
};

/** Most characters of one value (PS3.5 6.2). */
const longest: Readonly<Record<string, number>> = {
  ...{ AE: 16, AS: 4, CS: 16, DA: 8, DS: 16, DT: 26, IS: 12, LO: 64, SH: 16, TM: 14, UI: 64 },
  ...{ LT: 10240, ST: 1024, UC: 2 ** 32 - 2, UR: 2 ** 32 - 2, UT: 2 ** 32 - 2 },
};

/** Value representations with a length of 32 bits (PS3.5 7.1.2). */
const longForm: ReadonlySet<string> = new Set(['OB', 'OW', 'UC', 'UR', 'UT', 'UN']);

const undefinedLength = 0xffffffff;

interface Attribute {
  readonly keyword: string;
  readonly group: number;
  readonly element: number;
  readonly vr: string;
}

const attributes = new Map<string, Attribute>();

function attributeOf(keyword: string): Attribute {
  const known = attributes.get(keyword);
  if (known) return known;
  const entry = nameMap[keyword];
  const [, group = '', element = ''] = /^\(([\dA-F]{4}),([\dA-F]{4})\)$/.exec(entry?.tag ?? '') ?? [];
  if (!entry || !group) throw new TypeError(`${keyword} is no DICOM keyword`);
  const vr = settled[keyword] ?? entry.vr;
  const attribute = { keyword, group: Number.parseInt(group, 16), element: Number.parseInt(element, 16), vr };
  attributes.set(keyword, attribute);
  return attribute;
}

/** Little-endian bytes that grow as they are written. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written so far; valid until more is. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  uint16(value: number): void {
    const at = this.#take(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  uint32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  float32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeFloatLE(value, at);
  }

  float64(value: number): void {
    const at = this.#take(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** UTF-8. */
  text(value: string): void {
    // A UTF-16 unit takes three bytes at most.
    const at = this.#take(3 * value.length);
    this.#length = at + this.#buffer.write(value, at, 'utf8');
  }

  /** Corrects the 16-bit number that stands at `at`. */
  patch16(at: number, value: number): void {
    this.#buffer.writeUInt16LE(value, at);
  }

  /** Corrects the 32-bit number that stands at `at`. */
  patch32(at: number, value: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }

  /** Where the next `count` bytes go. The buffer may be another one afterwards. */
  #take(count: number): number {
    const at = this.#length;
    if (at + count > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, at + count));
      grown.set(this.#buffer.subarray(0, at));
      this.#buffer = grown;
    }
    this.#length = at + count;
    return at;
  }
}

/**
 * Appends a data set in Explicit VR Little Endian (PS3.5 7.1.2), elements by tag, text in UTF-8, sequences and items of
 * undefined length.
 *
 * @throws AppError `series-not-writable`: a value does not fit its value representation.
 */
export function writeDataSet(to: ByteWriter, dataSet: DataSet): void {
  for (const attribute of orderOf(Object.keys(dataSet))) {
    const value = dataSet[attribute.keyword];
    if (value !== undefined) writeElement(to, attribute, value);
  }
}

const orders = new Map<string, readonly Attribute[]>();
/** Orders of more attributes are not kept: items of sequences, which come back in every frame, have fewer. */
const mostKept = 12;

/** Attributes by tag. */
function orderOf(keywords: readonly string[]): readonly Attribute[] {
  const name = keywords.length <= mostKept ? keywords.join(' ') : '';
  const known = orders.get(name);
  if (known) return known;
  const order = keywords.map(attributeOf).sort((a, b) => a.group - b.group || a.element - b.element);
  if (name !== '') orders.set(name, order);
  return order;
}

function writeElement(to: ByteWriter, attribute: Attribute, value: unknown): void {
  const { group, element, vr } = attribute;
  to.uint16(group);
  to.uint16(element);
  to.text(vr);
  if (vr === 'SQ') {
    to.uint16(0);
    writeSequence(to, value as readonly DataSet[]);
    return;
  }
  const isLong = longForm.has(vr);
  if (isLong) to.uint16(0);
  const at = to.length;
  if (isLong) to.uint32(0);
  else to.uint16(0);
  const start = to.length;
  writeValue(to, attribute, value);
  if ((to.length - start) % 2 === 1) to.raw(pad[vr === 'UI' || vr === 'OB' || vr === 'UN' ? 'nul' : 'blank']);
  const length = to.length - start;
  if (isLong) to.patch32(at, length);
  else if (length <= 0xfffe) to.patch16(at, length);
  else throw misfit(attribute, `takes ${length} bytes`, '65534');
}

const pad = { nul: Uint8Array.of(0), blank: Uint8Array.of(0x20) };

function writeSequence(to: ByteWriter, items: readonly DataSet[]): void {
  to.uint32(undefinedLength);
  for (const item of items) {
    mark(to, 0xe000, undefinedLength);
    writeDataSet(to, item);
    mark(to, 0xe00d, 0);
  }
  mark(to, 0xe0dd, 0);
}

function mark(to: ByteWriter, element: number, length: number): void {
  to.uint16(0xfffe);
  to.uint16(element);
  to.uint32(length);
}

const numbers: Readonly<Record<string, (to: ByteWriter, value: number) => void>> = {
  US: (to, value) => to.uint16(value),
  UL: (to, value) => to.uint32(value),
  FL: (to, value) => to.float32(value),
  FD: (to, value) => to.float64(value),
};

function writeValue(to: ByteWriter, attribute: Attribute, value: unknown): void {
  const { keyword, vr } = attribute;
  if (value instanceof Uint8Array) {
    if (vr !== 'OB' && vr !== 'OW') throw new TypeError(`${keyword} is ${vr}, not bytes`);
    to.raw(value);
    return;
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const writeNumber = numbers[vr];
  if (writeNumber) for (const one of values) writeNumber(to, Number(one));
  else if (vr === 'AT') for (const one of values) writeTag(to, String(one));
  else if (vr === 'PN') to.text(values.map((one) => nameText(attribute, one)).join('\\'));
  else to.text(values.map((one) => plainText(attribute, String(one))).join('\\'));
}

/** Group, then element, each a 16-bit number. */
function writeTag(to: ByteWriter, tag: string): void {
  if (!/^[\dA-F]{8}$/.test(tag)) throw new TypeError(`${tag} is no attribute tag`);
  to.uint16(Number.parseInt(tag.slice(0, 4), 16));
  to.uint16(Number.parseInt(tag.slice(4), 16));
}

function plainText(attribute: Attribute, text: string): string {
  const most = longest[attribute.vr];
  if (most === undefined) throw new TypeError(`${attribute.keyword} is ${attribute.vr}, which is not written`);
  if (text.length > most) throw misfit(attribute, `has ${text.length} characters`, String(most));
  return text;
}

function nameText(attribute: Attribute, value: unknown): string {
  const { Alphabetic, Ideographic = '', Phonetic = '' } = value as PersonName;
  const groups = [Alphabetic, Ideographic, Phonetic];
  const tooLong = groups.find((group) => group.length > 64);
  if (tooLong) throw misfit(attribute, `has a part of ${tooLong.length} characters`, '64');
  return groups.join('=').replace(/=+$/, '');
}

/** Numbers only: the value may be the patient's. */
function misfit({ keyword, vr }: Attribute, seen: string, most: string): AppError {
  return new AppError('series-not-writable', `${keyword} ${seen}; its value representation ${vr} holds ${most}.`);
}
