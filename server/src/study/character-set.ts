/** Labels of the WHATWG decoders for the single-byte and multi-byte sets of PS3.3 C.12.1.1.2, by ISO number. */
export const encodings: Readonly<Record<string, string>> = {
  '6': 'us-ascii',
  '13': 'shift_jis',
  '100': 'iso-8859-1',
  '101': 'iso-8859-2',
  '109': 'iso-8859-3',
  '110': 'iso-8859-4',
  '126': 'iso-8859-7',
  '127': 'iso-8859-6',
  '138': 'iso-8859-8',
  '144': 'iso-8859-5',
  '148': 'iso-8859-9',
  '149': 'euc-kr',
  '58': 'gbk',
  '159': 'euc-jp',
  '87': 'euc-jp',
  '166': 'windows-874',
  '192': 'utf-8',
  '203': 'iso-8859-15',
};

type Shift = 'none' | 'high' | 'supplement';

interface Script {
  readonly encoding: string;
  /** `high`: 7-bit codes of a double-byte set, shifted up for the decoder; `supplement`: the same behind 0x8F. */
  readonly shift: Shift;
}

const plain = (encoding: string): Script => ({ encoding, shift: 'none' });

/** What follows ESC (0x1B) and the script it calls in (PS3.3 C.12.1.1.2, tables C.12-3 and C.12-4). */
const escapes: readonly (readonly [string, Script])[] = [
  ['$(D', { encoding: 'euc-jp', shift: 'supplement' }],
  ['$)C', plain('euc-kr')],
  ['$)A', plain('gbk')],
  ['$B', { encoding: 'euc-jp', shift: 'high' }],
  ['(B', plain('us-ascii')],
  ['(J', plain('us-ascii')],
  [')I', plain('shift_jis')],
  ['-A', plain('iso-8859-1')],
  ['-B', plain('iso-8859-2')],
  ['-C', plain('iso-8859-3')],
  ['-D', plain('iso-8859-4')],
  ['-F', plain('iso-8859-7')],
  ['-G', plain('iso-8859-6')],
  ['-H', plain('iso-8859-8')],
  ['-L', plain('iso-8859-5')],
  ['-M', plain('iso-8859-9')],
  ['-T', plain('windows-874')],
  ['-b', plain('iso-8859-15')],
];

/** Turns the bytes of one text value into a string. */
export type TextDecode = (bytes: Uint8Array) => string;

/**
 * The decoder of a data set's text, by the values of SpecificCharacterSet (0008,0005). Code extensions are followed
 * through their escape sequences; an unknown set is read as Latin-1, so that no byte is lost.
 */
export function textDecoder(characterSets: readonly string[]): TextDecode {
  const names = characterSets.map((name) => name.trim());
  const first = names[0] || 'ISO_IR 6';
  const initial = first === 'GB18030' || first === 'GBK' ? first.toLowerCase() : encodings[first.replace(/^.* /, '')];
  const start = plain(initial === undefined || initial === 'us-ascii' ? 'iso-8859-1' : initial);
  if (names.length < 2 && !first.startsWith('ISO 2022')) return (bytes) => decodeRun(bytes, start);
  return (bytes) => decodeExtended(bytes, start);
}

function decodeRun(bytes: Uint8Array, script: Script): string {
  const label = script.encoding === 'us-ascii' ? 'iso-8859-1' : script.encoding;
  if (script.shift === 'none') return new TextDecoder(label).decode(bytes);
  const shifted: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    if (script.shift === 'supplement') shifted.push(0x8f);
    shifted.push(bytes[at]! | 0x80, bytes[at + 1]! | 0x80);
  }
  return new TextDecoder(label).decode(Uint8Array.from(shifted));
}

function decodeExtended(bytes: Uint8Array, start: Script): string {
  let script = start;
  let from = 0;
  let text = '';
  const flush = (to: number): void => {
    if (to > from) text += decodeRun(bytes.subarray(from, to), script);
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x1b) {
      flush(at);
      const found = escapes.find(([code]) => startsWith(bytes, at + 1, code));
      script = found?.[1] ?? start;
      from = at + 1 + (found?.[0].length ?? 0);
      at = from - 1;
    } else if (script.shift === 'none' && isDelimiter(byte)) {
      // The initial set is in force again after a delimiter (PS3.5 6.1.2.5.3).
      flush(at);
      from = at;
      script = start;
    }
  }
  flush(bytes.length);
  return text;
}

function isDelimiter(byte: number): boolean {
  return byte === 0x5e || byte === 0x3d || byte === 0x5c || (byte >= 0x09 && byte <= 0x0d);
}

function startsWith(bytes: Uint8Array, at: number, code: string): boolean {
  for (let n = 0; n < code.length; n++) if (bytes[at + n] !== code.charCodeAt(n)) return false;
  return true;
}
