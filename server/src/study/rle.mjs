const headerBytes = 64;

/** Shorter packets are copied faster one by one than by a call. */
const fewBytes = 24;

/** A frame and behind it the planes of its bytes, at whole words. Kept, as the next frame is mostly as large. */
let work = new Uint8Array(0);

/**
 * RLE Lossless (PS3.5 G): a segment for each byte of a sample, the most significant first, each packed by runs.
 *
 * @param {Uint8Array} input the frame.
 * @param {Uint8Array} output of all samples, little-endian.
 * @param {{ readonly bitsAllocated: 8 | 16 }} attributes
 * @returns {number} bytes written: all of `output`.
 * @throws Error when the header does not fit, or a segment ends before its samples do.
 */
export function decodeRle(input, output, { bitsAllocated }) {
  const header = new DataView(input.buffer, input.byteOffset, input.length);
  const count = input.length < headerBytes ? 0 : header.getUint32(0, true);
  if (count !== bitsAllocated / 8) throw new Error(`the RLE header states ${count} segments`);
  const samples = output.length / count;
  const planeBytes = 4 * Math.ceil(samples / 4);
  const planes = 4 * Math.ceil(input.length / 4);
  if (work.length < planes + count * planeBytes) work = new Uint8Array(planes + count * planeBytes);
  work.set(input);
  for (let segment = 0; segment < count; segment++) {
    const from = header.getUint32(4 + 4 * segment, true);
    const to = segment + 1 < count ? header.getUint32(8 + 4 * segment, true) : input.length;
    if (from < headerBytes || to > input.length) throw new Error('an RLE segment lies outside of its frame');
    const start = planes + segment * planeBytes;
    unpack(work, from, to, start, start + samples);
  }
  if (count === 1) output.set(work.subarray(planes, planes + samples));
  else interleave(work, planes, planes + planeBytes, output);
  return output.length;
}

/** Unpacks the segment from `read` to `last` into the bytes from `at` to `end` (PS3.5 G.3.2). What is behind the last sample is padding. */
function unpack(bytes, from, last, start, end) {
  let read = from;
  let at = start;
  while (at < end) {
    if (read >= last) throw new Error('an RLE segment ends before its samples');
    const control = bytes[read++];
    if (control < 128) {
      const next = read + Math.min(control + 1, last - read, end - at);
      if (next - read < fewBytes) while (read < next) bytes[at++] = bytes[read++];
      else {
        bytes.copyWithin(at, read, next);
        at += next - read;
        read = next;
      }
    } else if (control > 128) {
      if (read >= last) throw new Error('an RLE segment ends within a run');
      const value = bytes[read++];
      const next = Math.min(at + 257 - control, end);
      if (next - at < fewBytes) while (at < next) bytes[at++] = value;
      else {
        bytes.fill(value, at, next);
        at = next;
      }
    }
  }
}

/** 16-bit samples of the planes of their bytes that start there: four samples a turn. */
function interleave(bytes, highStart, lowStart, output) {
  const samples = output.length / 2;
  const fours = output.byteOffset % 4 === 0 ? samples >> 2 : 0;
  const highs = new Uint32Array(bytes.buffer, highStart, fours);
  const lows = new Uint32Array(bytes.buffer, lowStart, fours);
  const pairs = new Uint32Array(output.buffer, fours > 0 ? output.byteOffset : 0, 2 * fours);
  for (let n = 0; n < fours; n++) {
    const high = highs[n];
    const low = lows[n];
    pairs[2 * n] = (low & 0xff) | ((high & 0xff) << 8) | ((low & 0xff00) << 8) | ((high & 0xff00) << 16);
    pairs[2 * n + 1] = ((low >>> 16) & 0xff) | ((high >>> 8) & 0xff00) | ((low >>> 8) & 0xff0000) | (high & 0xff000000);
  }
  for (let n = 4 * fours; n < samples; n++) {
    output[2 * n] = bytes[lowStart + n];
    output[2 * n + 1] = bytes[highStart + n];
  }
}
