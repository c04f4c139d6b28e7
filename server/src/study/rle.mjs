const headerBytes = 64;

/**
 * RLE Lossless (PS3.5 G): a segment for each byte of a sample, the most significant first, each packed by runs.
 *
 * @param {Uint8Array} input the frame.
 * @param {Uint8Array} output of all samples, little-endian.
 * @param {{ readonly bitsAllocated: number }} attributes
 * @returns {number} bytes written: all of `output`.
 * @throws Error when the header does not fit, or a segment ends before its samples do.
 */
export function decodeRle(input, output, { bitsAllocated }) {
  const header = new DataView(input.buffer, input.byteOffset, input.length);
  const count = input.length < headerBytes ? 0 : header.getUint32(0, true);
  if (count !== bitsAllocated / 8) throw new Error(`the RLE header states ${count} segments`);
  for (let segment = 0; segment < count; segment++) {
    const from = header.getUint32(4 + 4 * segment, true);
    const to = segment + 1 < count ? header.getUint32(8 + 4 * segment, true) : input.length;
    if (from < headerBytes || to > input.length) throw new Error('an RLE segment lies outside of its frame');
    unpack(input.subarray(from, to), output, count - 1 - segment, count);
  }
  return output.length;
}

/** Unpacks a segment into every `step`th byte (PS3.5 G.3.2). Bytes behind the last sample pad the segment. */
function unpack(segment, output, start, step) {
  const end = output.length;
  let at = start;
  let read = 0;
  while (at < end) {
    if (read >= segment.length) throw new Error('an RLE segment ends before its samples');
    const control = segment[read++];
    if (control < 128) {
      const count = Math.min(control + 1, segment.length - read, Math.ceil((end - at) / step));
      copy(segment, read, count, output, at, step);
      read += count;
      at += count * step;
    } else if (control > 128) {
      if (read >= segment.length) throw new Error('an RLE segment ends within a run');
      const value = segment[read++];
      for (const last = Math.min(at + (257 - control) * step, end); at < last; at += step) output[at] = value;
    }
  }
}

/** Noise is all literal bytes: four a turn take three quarters of the time of one. */
function copy(segment, from, count, output, start, step) {
  let at = start;
  let read = from;
  const last = from + count;
  for (const end = last - 3; read < end; read += 4, at += 4 * step) {
    output[at] = segment[read];
    output[at + step] = segment[read + 1];
    output[at + 2 * step] = segment[read + 2];
    output[at + 3 * step] = segment[read + 3];
  }
  for (; read < last; read++, at += step) output[at] = segment[read];
}
