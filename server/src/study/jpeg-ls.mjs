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
    decoder.getEncodedBuffer(input.length).set(input);
    decoder.decode();
    const found = decoder.getFrameInfo();
    if (found.width !== width || found.height !== height || found.componentCount !== 1) {
      throw new Error(`the codestream is ${found.width} x ${found.height}, ${found.componentCount} components`);
    }
    const samples = decoder.getDecodedBuffer();
    // CharLS gives samples of up to eight bits in bytes, whatever is allocated for them.
    if (found.bitsPerSample > bitsAllocated) throw new Error(`the codestream has ${found.bitsPerSample} bits a sample`);
    if (found.bitsPerSample <= 8 && bitsAllocated === 16)
      new Uint16Array(output.buffer, output.byteOffset).set(samples);
    else output.set(samples);
    return output.length;
  };
}
