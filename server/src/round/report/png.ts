import { crc32, deflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A grey image as PNG (ISO/IEC 15948). @param pixels `[row, column]` in [0, 1], clipped. */
export function greyPng(pixels: Float32Array, columns: number): Buffer {
  const rows = pixels.length / columns;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(columns, 0);
  header.writeUInt32BE(rows, 4);
  // 8 bits a sample, grey; compression, filter and interlace method 0.
  header.writeUInt8(8, 8);
  // Each line begins with its filter type, 0: none.
  const lines = Buffer.alloc((columns + 1) * rows);
  for (const [n, value] of pixels.entries()) {
    const at = n + Math.floor(n / columns) + 1;
    lines.writeUInt8(Math.round(255 * Math.max(0, Math.min(1, value))), at);
  }
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(content.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
