/** Count of byte planes and where each begins (PS3.5 G.5). */
const headerBytes = 64;

/**
 * A frame of bytes in run lengths (PS3.5 annex G): one plane, each row for itself.
 *
 * @param frame `[row, column]` uint8.
 * @returns an even number of bytes.
 */
export function encodeRle(frame: Uint8Array, columns: number): Uint8Array {
  const rows = frame.length / columns;
  const out = new Uint8Array(headerBytes + rows * (columns + Math.ceil(columns / 128)) + 1);
  const view = new DataView(out.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, headerBytes, true);
  let to = headerBytes;
  for (let row = 0; row < rows; row++) to = encodeRow(frame, row * columns, (row + 1) * columns, out, to);
  return out.slice(0, to + (to & 1));
}

function encodeRow(frame: Uint8Array, from: number, end: number, out: Uint8Array, start: number): number {
  let to = start;
  let literal = from;
  const flush = (until: number) => {
    while (literal < until) {
      const count = Math.min(128, until - literal);
      out[to++] = count - 1;
      out.set(frame.subarray(literal, literal + count), to);
      to += count;
      literal += count;
    }
  };
  for (let at = from; at < end; ) {
    let run = 1;
    while (run < 128 && at + run < end && frame[at + run] === frame[at]) run++;
    // A run of two inside other bytes saves nothing.
    if (run > 2) {
      flush(at);
      out[to++] = 257 - run;
      out[to++] = frame[at] ?? 0;
      literal = at + run;
    }
    at += run;
  }
  flush(end);
  return to;
}
