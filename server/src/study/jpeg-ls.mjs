import { freeBytes } from './free-bytes.mjs';

/**
 * JPEG-LS (ISO/IEC 14495-1) by CharLS, which takes less than half the time of the build of it within dcmjs-codecs.
 *
 * @typedef {{ readonly width: number, readonly height: number, readonly bitsAllocated: number }} FrameSize
 * @returns {Promise<(input: Uint8Array, output: Uint8Array, attributes: FrameSize) => number>} decodes a frame to
 *   little-endian samples and gives the bytes written. Throws what CharLS throws, and Error when the codestream is of
 *   another size than the frame, or of more bits than are allocated.
 */
export async function loadJpegLs() {
  const { default: createModule } = await import('@cornerstonejs/codec-charls/decodewasmjs');
  const silent = () => undefined;
  const { JpegLSDecoder } = await createModule({ print: silent, printErr: silent });
  const decoder = new JpegLSDecoder();
  return (input, output, { width, height, bitsAllocated }) => {
    const found = readFrameHeader(input);
    // Before any memory is asked for: a damaged header may state gigabytes.
    if (found.width !== width || found.height !== height || found.components !== 1) {
      throw new Error(`the codestream is ${found.width} x ${found.height}, ${found.components} components`);
    }
    if (found.bits > bitsAllocated) throw new Error(`the codestream has ${found.bits} bits a sample`);
    decoder.getEncodedBuffer(input.length).set(input);
    decoder.decode();
    // CharLS gives samples of up to eight bits in bytes, whatever is allocated for them.
    const target = found.bits <= 8 && bitsAllocated === 16 ? new Uint16Array(output.buffer, output.byteOffset) : output;
    const samples = decoder.getDecodedBuffer();
    target.set(samples);
    freeBytes(samples);
    return output.length;
  };
}

/** What the frame header states (C.2.2). */
function readFrameHeader(bytes) {
  // Behind the start marker: segments of a marker, a length that counts itself, and as many bytes.
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const word = (offset) => (bytes[at + offset] << 8) | bytes[at + offset + 1];
    if (bytes[at + 1] === 0xf7) {
      return { bits: bytes[at + 4], height: word(5), width: word(7), components: bytes[at + 9] };
    }
    at += bytes[at + 1] === 0xff ? 1 : 2 + word(2);
  }
  throw new Error('the codestream has no frame header');
}
