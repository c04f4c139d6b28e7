/** What a JPEG 2000 codestream says of its one component (ISO/IEC 15444-1 A.5.1, Ssiz). */
export interface ComponentSize {
  readonly signed: boolean;
  readonly precisionBits: number;
}

const startOfCodestream = 0xff4f;
const sizeMarker = 0xff51;

/** Offset of Ssiz from the start of the SIZ marker: marker, Lsiz, Rsiz, eight 4-byte extents, Csiz. */
const ssizOffset = 2 + 2 + 2 + 32 + 2;

/** The component size of a JPEG 2000 or HTJ2K codestream (also inside a JP2 box), undefined when there is none. */
export function readComponentSize(bytes: Uint8Array): ComponentSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A JP2 file puts boxes of well under a kilobyte before its codestream.
  const last = Math.min(bytes.length - 4 - ssizOffset, 4096);
  for (let at = 0; at <= last; at++) {
    if (view.getUint16(at) === startOfCodestream && view.getUint16(at + 2) === sizeMarker) {
      const ssiz = bytes[at + 2 + ssizOffset]!;
      return { signed: (ssiz & 0x80) !== 0, precisionBits: (ssiz & 0x7f) + 1 };
    }
  }
  return undefined;
}

/** Bits of a sample by the frame header of a JPEG or JPEG-LS codestream (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2). */
export function readJpegPrecision(bytes: Uint8Array): number | undefined {
  // Behind the start marker: segments of a marker, a length that counts itself, and as many bytes.
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    // C4, C8 and CC stand among the frame headers and are none; FF may fill up before a marker.
    const isFrame = marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker));
    if (isFrame) return bytes[at + 4];
    at += marker === 0xff ? 1 : 2 + (bytes[at + 2]! << 8) + bytes[at + 3]!;
  }
  return undefined;
}

/**
 * True when the frame ends with the end marker FFD9 that JPEG, JPEG-LS and JPEG 2000 share; pad bytes may follow. A
 * frame without it was cut, and the codecs would decode it silently.
 */
export function hasEndMarker(bytes: Uint8Array): boolean {
  const isMarker = (at: number): boolean => at >= 0 && bytes[at] === 0xff && bytes[at + 1] === 0xd9;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  // Some encoders pad with FF; the byte with which dcmtk's JPEG-LS makes the length even has any value.
  const isPadded = bytes[end - 1] === 0xff || (bytes.length % 2 === 0 && end === bytes.length);
  return isMarker(end - 2) || (isPadded && isMarker(end - 3));
}
