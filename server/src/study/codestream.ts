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

/**
 * True when the frame ends with the end marker FFD9 that JPEG, JPEG-LS and JPEG 2000 share; pad bytes may follow. A
 * frame without it was cut, and the codecs would decode it silently.
 */
export function hasEndMarker(bytes: Uint8Array): boolean {
  const isMarker = (at: number): boolean => at >= 0 && bytes[at] === 0xff && bytes[at + 1] === 0xd9;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  // The byte that makes the length even has any value: FF of some encoders, whatever lay there of dcmtk's JPEG-LS.
  return isMarker(end - 2) || (bytes.length % 2 === 0 && end === bytes.length && isMarker(end - 3));
}
