import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packEnvelope, pieceOf, unpackEnvelope } from '../../../server/src/labelmap/envelope.ts';

const head = { columns: 3, rows: 2, slices: ['1.2'] };

test('labels and head come back, however large they are', async () => {
  for (const voxels of [0, 1, 6, 300_000]) {
    const labels = Uint8Array.from({ length: voxels }, (_, n) => n % 7);
    const opened = unpackEnvelope(await packEnvelope(head, labels));
    assert.deepEqual(opened.head, head);
    assert.deepEqual(Buffer.from(opened.labels), Buffer.from(labels));
  }
});

test('the size that gzip tells is believed as far as it can be true', () => {
  const bytes = Buffer.alloc(100_000, 1);
  const packed = gzipSync(bytes);
  assert.equal(pieceOf(packed), bytes.length + 1);
  const lies = Buffer.from(packed);
  lies.writeUInt32LE(2 ** 32 - 1, lies.length - 4);
  assert.equal(pieceOf(lies), 1 + 1032 * lies.length);
  lies.writeUInt32LE(5, lies.length - 4);
  assert.equal(pieceOf(lies), 64);
  // What it tells decides on pieces, not on what comes out.
  assert.deepEqual(gunzipSync(packed, { chunkSize: pieceOf(lies) }), bytes);
  for (const short of [0, 3]) assert.equal(pieceOf(new Uint8Array(short)), 64);
});
